# The real Sidekiq::Web behind a session. In: a list of [path] to get or [path, fields] to post.
# Out: status, Location and body of each. The token of a form comes from a page that was read before.

require "rack/mock"
require "sidekiq/web"

module Web
  SESSION = {}
  ENVIRONMENT = {"rack.session" => SESSION, "HTTP_HOST" => "localhost", "HTTP_ACCEPT_LANGUAGE" => "en"}
  TOKEN = /name=['"]authenticity_token['"] value=['"]([^'"]+)['"]/
  module_function

  def visit(path, fields = nil)
    page = fields ? post(path, fields) : get(path)
    {"status" => page.status, "location" => page["Location"], "body" => page.body.force_encoding("UTF-8").scrub}
  end

  def get(path)
    Rack::MockRequest.new(Sidekiq::Web).get(path, ENVIRONMENT.dup)
  end

  def post(path, fields)
    fields = fields.merge("authenticity_token" => token) unless fields.delete("forged")
    Rack::MockRequest.new(Sidekiq::Web).post(path, ENVIRONMENT.merge(params: fields))
  end

  def token
    page = get("/busy")
    page.body[TOKEN, 1] or raise "no token in #{page.status} #{page.body}"
  end
end

SCRIPTS["web"] = ->(requests) { requests.map { |request| Web.visit(*request) } }

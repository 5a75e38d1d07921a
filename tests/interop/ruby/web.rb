# The real Sidekiq::Web behind a session. In: a list of [path] to get or [path, fields] to post.
# Out: status, Location and body of each. The token of a form comes from the page that was read before.

require_relative "common"
require "rack/mock"
require "sidekiq/web"

SESSION = {}
ENVIRONMENT = {"rack.session" => SESSION, "HTTP_HOST" => "localhost", "HTTP_ACCEPT_LANGUAGE" => "en"}

def token
  page = Rack::MockRequest.new(Sidekiq::Web).get("/busy", ENVIRONMENT.dup)
  page.body[/name=['"]authenticity_token['"] value=['"]([^'"]+)['"]/, 1] or raise "no token in #{page.status} #{page.body}"
end

def visit(path, fields = nil)
  browser = Rack::MockRequest.new(Sidekiq::Web)
  return browser.get(path, ENVIRONMENT.dup) unless fields
  fields = fields.merge("authenticity_token" => token) unless fields.delete("forged")
  browser.post(path, ENVIRONMENT.merge(params: fields))
end

answer(asked.map do |path, fields|
  page = visit(path, fields)
  {"status" => page.status, "location" => page["Location"], "body" => page.body.force_encoding("UTF-8").scrub}
end)

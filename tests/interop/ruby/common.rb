# What all scripts share: the server under test, and JSON in and out.

require "json"
require "sidekiq"
require "sidekiq/api"

url = ENV.fetch("KIQ_TEST_URL")
Sidekiq.configure_client { |config| config.redis = {url: url} }
Sidekiq.configure_server { |config| config.redis = {url: url} }
Sidekiq.logger.level = Logger::WARN unless Sidekiq.server?

def asked
  JSON.parse($stdin.read)
end

def answer(value)
  $stdout.write(JSON.generate(value))
end

# Declared, not defined: what clients need of a job.
class HardWorker
  include Sidekiq::Worker
  sidekiq_options queue: "ruby"
end

# What the console and the worker share: the server under test.

require "json"
require "sidekiq"
require "sidekiq/api"

url = ENV.fetch("KIQ_TEST_URL")
Sidekiq.configure_client { |config| config.redis = {url: url} }
Sidekiq.configure_server { |config| config.redis = {url: url} }
Sidekiq.logger.level = Logger::WARN unless Sidekiq.server?

# Declared, not defined: what clients need of a job.
class HardWorker
  include Sidekiq::Worker
  sidekiq_options queue: "ruby"
end

# Reads payloads and writes them again, as the API does when it reschedules a job. In and out: a list of texts.

require_relative "common"

answer(asked.map { |text| Sidekiq.dump_json(Sidekiq.load_json(text)) })

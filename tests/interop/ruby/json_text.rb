# Reads payloads and writes them again, as the API does when it reschedules a job. In and out: a list of texts.

SCRIPTS["json_text"] = ->(texts) { texts.map { |text| Sidekiq.dump_json(Sidekiq.load_json(text)) } }

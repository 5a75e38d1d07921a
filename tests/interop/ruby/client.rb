# Pushes jobs as a Ruby program does. In: a list of [method, arguments...]. Out: what each call returned.

CALLS = {
  "perform_async" => ->(options, args) { HardWorker.set(options.transform_keys(&:to_sym)).perform_async(*args) },
  "perform_in" => ->(options, seconds, args) { HardWorker.set(options.transform_keys(&:to_sym)).perform_in(seconds, *args) },
  "push" => ->(item) { Sidekiq::Client.push(item) },
  "push_bulk" => ->(item) { Sidekiq::Client.push_bulk(item) },
}

SCRIPTS["client"] = ->(calls) { calls.map { |name, *arguments| CALLS.fetch(name).call(*arguments) } }

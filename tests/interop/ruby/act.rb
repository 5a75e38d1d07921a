# Acts through the public API. In: a list of [where, deed, arguments...]. Out: one answer for each.

require_relative "common"

SETS = {"retry" => Sidekiq::RetrySet, "schedule" => Sidekiq::ScheduledSet, "dead" => Sidekiq::DeadSet}
TO_ONE = %w[retry kill delete add_to_queue reschedule]

def on_set(set, deed, *arguments)
  return set.public_send(deed) unless TO_ONE.include?(deed)
  jid, *rest = arguments
  set.find_job(jid).public_send(deed, *rest)
end

def on_queue(name, deed, *arguments)
  queue = Sidekiq::Queue.new(name)
  deed == "clear" ? queue.clear : queue.find_job(arguments.first).delete
end

def on_processes(deed)
  Sidekiq::ProcessSet.new.each { |process| process.public_send(deed) }
end

def run(where, deed, *arguments)
  case where
  when "processes" then on_processes(deed)
  when "queue" then on_queue(*arguments.unshift(arguments.shift, deed))
  else on_set(SETS.fetch(where).new, deed, *arguments)
  end
  true
end

answer(asked.map { |step| run(*step) })

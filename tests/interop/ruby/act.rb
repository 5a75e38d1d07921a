# Acts through the public API. In: a list of [where, deed, arguments...]. Out: true for each.

module Act
  SETS = {"retry" => Sidekiq::RetrySet, "schedule" => Sidekiq::ScheduledSet, "dead" => Sidekiq::DeadSet}
  TO_ONE = %w[retry kill delete add_to_queue reschedule]
  module_function

  def run(where, deed, *arguments)
    case where
    when "processes" then Sidekiq::ProcessSet.new.each { |process| process.public_send(deed) }
    when "queue" then on_queue(deed, *arguments)
    else on_set(SETS.fetch(where).new, deed, *arguments)
    end
    true
  end

  def on_queue(deed, name, jid = nil)
    queue = Sidekiq::Queue.new(name)
    deed == "clear" ? queue.clear : queue.find_job(jid).delete
  end

  def on_set(set, deed, jid = nil, *arguments)
    (TO_ONE.include?(deed) ? set.find_job(jid) : set).public_send(deed, *arguments)
  end
end

SCRIPTS["act"] = ->(steps) { steps.map { |step| Act.run(*step) } }

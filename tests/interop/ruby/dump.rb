# Everything that the public API tells, as JSON.

module Dump
  PROCESS = %w[hostname started_at pid tag concurrency queues busy beat identity quiet rss rtt_us]
  module_function

  def everything
    {
      "stats" => stats,
      "history" => history,
      "queues" => Sidekiq::Queue.all.to_h { |found| [found.name, queue(found)] },
      "scheduled" => jobs(Sidekiq::ScheduledSet.new),
      "retry" => jobs(Sidekiq::RetrySet.new),
      "dead" => jobs(Sidekiq::DeadSet.new),
      "processes" => Sidekiq::ProcessSet.new.map { |found| process(found) },
      "work" => Sidekiq::Workers.new.map { |identity, thread, work| [identity, thread, work] },
    }
  end

  def stats
    found = Sidekiq::Stats.new
    {
      "processed" => found.processed, "failed" => found.failed, "enqueued" => found.enqueued,
      "scheduled" => found.scheduled_size, "retry" => found.retry_size, "dead" => found.dead_size,
      "processes" => found.processes_size, "workers" => found.workers_size, "queues" => found.queues,
      "latency" => found.default_queue_latency,
    }
  end

  def history
    found = Sidekiq::Stats::History.new(3)
    {"processed" => found.processed, "failed" => found.failed}
  end

  def queue(found)
    {"name" => found.name, "size" => found.size, "latency" => found.latency, "jobs" => jobs(found)}
  end

  def jobs(place)
    place.map { |found| job(found) }
  end

  def job(found)
    told = {
      "class" => found.klass, "display_class" => found.display_class, "args" => found.args,
      "display_args" => found.display_args, "jid" => found.jid, "queue" => found.queue, "tags" => found.tags,
      "latency" => found.latency, "item" => found.item, "enqueued_at" => found.enqueued_at&.to_f,
      "created_at" => found.created_at&.to_f, "backtrace" => found.error_backtrace,
    }
    return told unless found.respond_to?(:score)
    told.merge("score" => found.score, "at" => found.at.to_f, "error" => found.error?)
  end

  def process(found)
    PROCESS.to_h { |key| [key, found[key]] }.merge("labels" => found.labels, "stopping" => found.stopping?)
  end
end

SCRIPTS["dump"] = ->(_) { Dump.everything }

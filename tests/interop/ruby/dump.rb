# Everything that the public API tells, as JSON.

require_relative "common"

def entry(job)
  found = {
    "class" => job.klass, "display_class" => job.display_class, "args" => job.args, "display_args" => job.display_args,
    "jid" => job.jid, "queue" => job.queue, "tags" => job.tags, "latency" => job.latency, "item" => job.item,
    "enqueued_at" => job.enqueued_at&.to_f, "created_at" => job.created_at&.to_f, "backtrace" => job.error_backtrace,
  }
  job.respond_to?(:score) ? found.merge("score" => job.score, "at" => job.at.to_f, "error" => job.error?) : found
end

def all(set)
  set.map { |job| entry(job) }
end

def queue(found)
  {"name" => found.name, "size" => found.size, "latency" => found.latency, "jobs" => all(found)}
end

def process(found)
  %w[hostname started_at pid tag concurrency queues busy beat identity quiet rss rtt_us].to_h { |key| [key, found[key]] }
    .merge("labels" => found.labels, "stopping" => found.stopping?)
end

stats = Sidekiq::Stats.new
history = Sidekiq::Stats::History.new(3)
answer(
  "stats" => {
    "processed" => stats.processed, "failed" => stats.failed, "enqueued" => stats.enqueued,
    "scheduled" => stats.scheduled_size, "retry" => stats.retry_size, "dead" => stats.dead_size,
    "processes" => stats.processes_size, "workers" => stats.workers_size, "queues" => stats.queues,
    "latency" => stats.default_queue_latency,
  },
  "history" => {"processed" => history.processed, "failed" => history.failed},
  "queues" => Sidekiq::Queue.all.to_h { |found| [found.name, queue(found)] },
  "scheduled" => all(Sidekiq::ScheduledSet.new),
  "retry" => all(Sidekiq::RetrySet.new),
  "dead" => all(Sidekiq::DeadSet.new),
  "processes" => Sidekiq::ProcessSet.new.map { |found| process(found) },
  "work" => Sidekiq::Workers.new.map { |identity, thread, work| [identity, thread, work] },
)

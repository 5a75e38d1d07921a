# Jobs of a Ruby worker process: each effect is one line in a file, appended in one step.

require_relative "common"

Redis.silence_deprecations = true

Sidekiq.configure_server do |config|
  config.options[:poll_interval_average] = 0.2
  config.on(:startup) { $stdout.syswrite("The Ruby worker works\n") }
end

class Noting
  def self.inherited(job)
    super
    job.include(Sidekiq::Worker)
  end

  def note(text)
    File.open(File.join(ENV.fetch("KIQ_TEST_DIRECTORY"), "effects"), "a") { |file| file.syswrite("#{text}\n") }
  end
end

Object.send(:remove_const, :HardWorker)

class HardWorker < Noting
  def perform(number, *rest)
    note(["ruby", number, *rest].join(" "))
  end
end

class FailingWorker < Noting
  def perform(number)
    note("ruby failed #{number}")
    raise ArgumentError, "number #{number}"
  end
end

class SlowWorker < Noting
  def perform(seconds)
    note("ruby began")
    sleep seconds
    note("ruby ended")
  end
end

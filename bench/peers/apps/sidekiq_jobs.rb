# Jobs and client of Sidekiq, and the same notes as probe.py writes.
require "json"
require "sidekiq"

# Debian's client of Redis prints a line at each fetch otherwise, which costs Sidekiq a third of its speed.
Redis.silence_deprecations = true if Redis.respond_to?(:silence_deprecations=)

URL = ENV.fetch("BENCH_REDIS")
DIRECTORY = ENV.fetch("BENCH_DIRECTORY", ".")
EVERY = Integer(ENV.fetch("BENCH_EVERY", "100"))

Sidekiq.configure_client { |config| config.redis = {url: URL} }
Sidekiq.configure_server do |config|
  config.redis = {url: URL}
  config.logger.level = Logger::WARN if ENV["BENCH_LINES"] != "1"
end

module Probe
  LOCK = Mutex.new
  @number = 0
  @files = {}

  def self.write(kind, line)
    file = @files[kind] || LOCK.synchronize { @files[kind] ||= File.open("#{DIRECTORY}/#{kind}.#{$$}", "a").tap { |f| f.sync = true } }
    file.syswrite(line)
  end

  def self.count
    n = LOCK.synchronize { @number += 1 }
    write("ran", "#{n} #{Process.clock_gettime(Process::CLOCK_MONOTONIC)}\n") if n % EVERY == 0 || n == 1
  end
end

class Empty
  include Sidekiq::Job
  def perform(number) = Probe.count
end

class Clock
  include Sidekiq::Job
  def perform(sent) = Probe.write("delays", "#{Time.now.to_f - sent}\n")
end

class Nap
  include Sidekiq::Job
  def perform(milliseconds)
    sleep(milliseconds / 1000.0)
    Probe.count
  end
end

class Toil
  include Sidekiq::Job
  def perform(milliseconds)
    finish = Process.clock_gettime(Process::CLOCK_MONOTONIC) + milliseconds / 1000.0
    total = 0
    1000.times { |each| total += each * each % 7 } while Process.clock_gettime(Process::CLOCK_MONOTONIC) < finish
  end
end

class Mark
  include Sidekiq::Job
  def perform(number)
    sleep(0.02)
    Probe.write("marks", "#{number}\n")
  end
end

KINDS = {"empty" => Empty, "clock" => Clock, "nap" => Nap, "toil" => Toil, "mark" => Mark}.freeze

def fill(kind, arguments)
  arguments.each_slice(1000) { |slice| KINDS.fetch(kind).perform_bulk(slice.map { |each| [each] }) }
end

def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

def timed(number)
  began = now
  yield
  puts JSON.generate(seconds: now - began, jobs: number)
end

def paced(number, kind, argument, gap)
  Empty.perform_async(0)
  due = now
  number.times do |each|
    due += gap
    rest = due - now
    sleep(rest) if rest > 0
    (kind == "clock" || each % 10 == 0) ? Clock.perform_async(Time.now.to_f) : KINDS.fetch(kind).perform_async(argument.to_f)
  end
end

def client(command, number, kind = "empty", argument = "", gap = "0")
  number = Integer(number)
  case command
  when "single"
    20.times { |each| Empty.perform_async(each) }
    timed(number) { number.times { |each| Empty.perform_async(each) } }
  when "bulk"
    Empty.perform_async(0)
    timed(number) { fill("empty", (0...number).to_a) }
  when "fill" then fill(kind, argument.empty? ? (0...number).to_a : [Float(argument)] * number)
  when "paced" then paced(number, kind, argument, Float(gap))
  else abort "unknown command #{command}"
  end
end

client(*ARGV) if $PROGRAM_NAME == __FILE__

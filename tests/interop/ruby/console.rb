# Ruby programs of a company that has Sidekiq, in one process for all tests.
# A line in is [script, what it is given], a line out is ["good", answer] or ["bad", what went wrong].

require_relative "common"

SCRIPTS = {}
%w[client flood dump act web json_text].each { |name| require_relative name }

$stdin.each_line do |line|
  name, given = JSON.parse(line)
  answer =
    begin
      ["good", SCRIPTS.fetch(name).call(given)]
    rescue StandardError => error
      ["bad", error.full_message(highlight: false)]
    end
  $stdout.puts(JSON.generate(answer))
  $stdout.flush
end

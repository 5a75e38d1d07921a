# Pushes numbered jobs: a tenth one by one, the rest in bulk, so that both paths are in it. In: queue, class, count.

require_relative "common"

order = asked
count = order.fetch("count")
single = count / 10
common = {"queue" => order.fetch("queue"), "class" => order.fetch("class")}

single.times { |number| Sidekiq::Client.push(common.merge("args" => [number])) }
(single...count).each_slice(500) { |numbers| Sidekiq::Client.push_bulk(common.merge("args" => numbers.map { |n| [n] })) }
answer(count)

# Pushes numbered jobs: a tenth one by one, the rest in bulk, so that both paths are in it. In: queue, class, count.

SCRIPTS["flood"] = lambda do |order|
  count = order.fetch("count")
  single = count / 10
  common = {"queue" => order.fetch("queue"), "class" => order.fetch("class")}
  bulks = (single...count).each_slice(500)

  single.times { |number| Sidekiq::Client.push(common.merge("args" => [number])) }
  bulks.each { |numbers| Sidekiq::Client.push_bulk(common.merge("args" => numbers.map { |number| [number] })) }
  count
end

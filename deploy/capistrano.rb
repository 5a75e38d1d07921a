# config/deploy.rb: quiet early, so that jobs end while the release is built; new code late, after the link has moved.
namespace :worker do
  desc "Take no more jobs"
  task(:quiet) do
    on(roles(:worker)) do
      execute :sudo, :systemctl, :kill, "--kill-whom=main", "-s", "TSTP", "shop-worker", raise_on_non_zero_exit: false
    end
  end

  desc "Start the new code; long jobs end in the old"
  task(:reload) { on(roles(:worker)) { execute :sudo, :systemctl, "reload-or-restart", "shop-worker" } }

  desc "Can the new code run what is waiting?"
  task(:check) do
    on(primary(:worker)) { within(release_path) { execute "venv/bin/python", "manage.py", "kiq", "check-pending" } }
  end
end

after "deploy:updated", "worker:check"
after "deploy:updated", "worker:quiet"
after "deploy:published", "worker:reload"
after "deploy:failed", "worker:reload"

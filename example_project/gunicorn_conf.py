"""How gunicorn serves the desk. Names that an older gunicorn does not know are passed over."""

wsgi_app = "example_project.wsgi"
threads = 8
graceful_timeout = 3
control_socket_disable = True  # it would lie in the home directory, where a demo has no business
accesslog = "-"

"""A worker's configuration from three sources: settings, then a file, then the command line; the last one wins."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kiq_django import conf, sections
from kiq_django.conf import lease_trouble
from kiq_django.exceptions import ConfigurationError
from kiq_django.setting import Check
from kiq_django.worker.config import DEFAULT_CAPSULE, CapsuleConfig, WorkerConfig, default_tag

ENVIRONMENT_VARIABLE = "KIQ_ENV"
ON_BOTH = ("concurrency", "timeout", "tag", "max_jobs", "max_memory")
"""Keys of the file that the command line has too."""
CHECKS: dict[str, Check] = {
    **{
        key: conf.check_of(sections.WorkerSettings, key)
        for key in ("concurrency", "async_concurrency", "tag", "labels", "max_jobs", "max_memory")
    },
    **{key: conf.check_of(sections.WorkerSettings, key) for key in ("heartbeat", "lease", "poll_interval", "capsules")},
    "timeout": conf.check_of(sections.WorkerSettings, "shutdown_timeout"),
}
FILE_KEYS = frozenset({*CHECKS, "queues", "require", "processes", "health", "heartbeat_file"})
HEALTH_VARIABLE, HEARTBEAT_VARIABLE = "KIQ_HEALTH", "KIQ_HEARTBEAT_FILE"
"""Said once for a container, they are known to the worker and to its probes."""


def worker_config(options: Mapping[str, Any]) -> WorkerConfig:
    """Put the sources together.

    Args:
        options: as parsed from the command line; None is not given.

    Raises:
        ConfigurationError: a value is not usable; the message names it.
    """
    settings = conf.get().worker
    given = {key: value for key, value in options.items() if value is not None}
    said: dict[str, Any] = {**_file(options), **{key: given[key] for key in ON_BOTH if key in given}}
    _refuse_unusable(said)
    queues = _command_line_queues(given["queues"]) if given.get("queues") else said.get("queues") or _settings_queues()
    main = CapsuleConfig(queues=queues, concurrency=said.get("concurrency", settings.concurrency))
    more = said.get("capsules", {} if given.get("queues") else settings.capsules)
    config = WorkerConfig(
        capsules=[main, *(_capsule(name, value) for name, value in more.items())],
        async_concurrency=said.get("async_concurrency", settings.async_concurrency),
        shutdown_timeout=said.get("timeout", settings.shutdown_timeout),
        heartbeat=said.get("heartbeat", settings.heartbeat),
        lease=said.get("lease", settings.lease),
        poll_interval=said.get("poll_interval", settings.poll_interval),
        tag=said.get("tag") or settings.tag or default_tag(),
        labels=said.get("labels", settings.labels),
        health=_address(health) if (health := _first("health", HEALTH_VARIABLE, given, said)) else None,
        heartbeat_file=_first("heartbeat_file", HEARTBEAT_VARIABLE, given, said),
        max_jobs=said.get("max_jobs", settings.max_jobs),
        max_memory=said.get("max_memory", settings.max_memory),
        drain=bool(given.get("drain")),
    )
    if trouble := lease_trouble(config.lease, config.heartbeat):
        raise ConfigurationError(trouble)
    return config


def _first(key: str, variable: str, *sources: Mapping[str, Any]) -> str:
    """What the first source says, else the environment."""
    return next((str(source[key]) for source in sources if source.get(key)), os.environ.get(variable, ""))


def how_many(options: Mapping[str, Any]) -> int:
    """Worker processes under one parent: a number, or `auto`, the processors that we may use; 0 is no parent.

    Raises:
        ConfigurationError: it is neither.
    """
    text = str(options.get("processes") or _file(options).get("processes") or "")
    if text == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if text and (not text.isdigit() or not int(text)):
        raise ConfigurationError(f"processes must be a number above 0, or 'auto', not {text!r}")
    return int(text or 0)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigurationError(f"--health must be HOST:PORT, not {text!r}, for instance 127.0.0.1:7433")
    return host.strip("[]"), int(port)


def required_modules(options: Mapping[str, Any]) -> Sequence[str]:
    """What `-r` and the file's `require` ask to import."""
    listed = _file(options).get("require", [])
    return [*([listed] if isinstance(listed, str) else listed), *(options.get("require") or [])]


def _file(options: Mapping[str, Any]) -> dict[str, Any]:
    return read_file(options["config"], options.get("environment")) if options.get("config") else {}


def read_file(path: str, environment: str | None) -> dict[str, Any]:
    """Read a configuration file, with the section of the environment laid over the rest.

    Raises:
        ConfigurationError: it cannot be read, or has unknown keys.
    """
    document = _parsed(Path(path))
    if not isinstance(document, Mapping):
        raise ConfigurationError(f"{path} must hold keys and values, not {document!r}")
    values = {_plain(key): value for key, value in document.items()}
    name = environment or os.environ.get(ENVIRONMENT_VARIABLE) or ""
    section = values.get(name, {}) if name else {}
    if not isinstance(section, Mapping):
        raise ConfigurationError(f"{path}: the section {name!r} must hold keys and values, not {section!r}")
    # A dict under a key that we do not know is the section of an environment, this one or another.
    shared = {key: value for key, value in values.items() if key in FILE_KEYS or not isinstance(value, Mapping)}
    merged = {**shared, **{_plain(key): value for key, value in section.items()}}
    for key in merged:
        if key not in FILE_KEYS:
            raise ConfigurationError(f"{path} has the unknown key {key!r}. {conf.did_you_mean(key, sorted(FILE_KEYS))}")
    if "queues" in merged:
        merged["queues"] = _file_queues(merged["queues"], path)
    return merged


def _plain(key: Any) -> str:
    """Sidekiq's files write `:concurrency:` or `concurrency:`."""
    return str(key).removeprefix(":")


def _parsed(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"The configuration file {path} cannot be read: {error.strerror}") from error
    try:
        return _toml(text) if path.suffix == ".toml" else _yaml(text, path)
    except ValueError as error:
        raise ConfigurationError(f"{path} is not valid: {error}") from error


def _toml(text: str) -> Any:
    import tomllib  # a parser that a worker without such a file does not carry

    return tomllib.loads(text)


def _yaml(text: str, path: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ConfigurationError(
            f'{path} is YAML, which needs another package: pip install "kiq-django[yaml]", or write a .toml file'
        ) from error
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error


def _refuse_unusable(values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if key in CHECKS and (trouble := CHECKS[key](value)):
            raise ConfigurationError(f"{key} {trouble}")


def _settings_queues() -> Mapping[str, int]:
    return {queue.name: queue.weight for queue in conf.get().queues.values()}


def _command_line_queues(texts: Sequence[str]) -> Mapping[str, int]:
    """`-q NAME[,WEIGHT]`; without any weight the order given is strict."""
    return _weights([_split(text, "-q") for text in texts], "-q")


def _file_queues(value: Any, where: str) -> Mapping[str, int]:
    """`name`, `"name,weight"`, `[name, weight]` in a list, or a dict of weights."""
    if isinstance(value, Mapping):
        return _weights([(str(name), weight) for name, weight in value.items()], where)
    if not isinstance(value, list) or not value:
        raise ConfigurationError(f"{where}: queues must be a list or a table of weights, not {value!r}")
    return _weights([item if isinstance(item, list) else _split(str(item), where) for item in value], where)


def _split(text: str, where: str) -> tuple[str, int]:
    name, _, weight = text.partition(",")
    if weight and not weight.strip().isdigit():
        raise ConfigurationError(f"{where}: the weight of {text!r} must be a whole number")
    return name.strip(), int(weight or 0)


def _weights(pairs: Sequence[Any], where: str) -> Mapping[str, int]:
    weights: dict[str, int] = {}
    for pair in pairs:
        if len(pair) not in {1, 2}:
            raise ConfigurationError(f"{where}: a queue is a name, or a name and a weight, not {pair!r}")
        name, weight = (*pair, 0)[:2]
        if trouble := sections.queue_name_trouble(name):
            raise ConfigurationError(f"{where}: {trouble}")
        if isinstance(weight, bool) or not isinstance(weight, int) or weight < 0:
            raise ConfigurationError(f"{where}: the weight of queue {name!r} must be a whole number, not {weight!r}")
        weights[name] = weight
    return weights


def _capsule(name: str, value: Any) -> CapsuleConfig:
    where = f"capsule {name!r}"
    if not isinstance(value, Mapping) or "queues" not in value or name == DEFAULT_CAPSULE:
        raise ConfigurationError(f"{where} must have a name of its own and at least queues, not {value!r}")
    if unknown := set(value) - {"queues", "concurrency"}:
        raise ConfigurationError(f"{where} has the unknown key {min(unknown)!r}. Known: concurrency, queues")
    concurrency = value.get("concurrency", conf.get().worker.concurrency)
    _refuse_unusable({"concurrency": concurrency})
    return CapsuleConfig(name=name, queues=_file_queues(value["queues"], where), concurrency=concurrency)

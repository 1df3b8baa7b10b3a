"""Every setting of the server: one environment variable each, with type, default and one sentence."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any


def _setting(default: Any, sentence: str) -> Any:
    return field(default=default, metadata={"sentence": sentence})


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set; the variable of `page_key` is `FHIR_PAGE_KEY`, and so on."""

    mongodb_uri: str = _setting("", "MongoDB replica set to use; empty: the embedded MongoDB is started.")
    mongodb_database: str = _setting("fhir", "Name of the database.")
    mongodb_timeout_ms: int = _setting(5000, "How long a request waits for a MongoDB that does not answer.")
    query_timeout_ms: int = _setting(10000, "Time budget of one query in MongoDB.")
    base_url: str = _setting("", "Public URL of the FHIR endpoint; empty: taken from the request's Host.")
    time_zone: str = _setting("Europe/Paris", "Zone of dates that come without one.")
    language: str = _setting("fr", "Language of messages when the client does not ask for one: `fr` or `en`.")
    max_body_bytes: int = _setting(10_485_760, "Largest request body, in bytes.")
    max_bundle_entries: int = _setting(1000, "Most entries of a batch or transaction.")
    parameter_delay_ms: int = _setting(2000, "How long a process takes at most to learn of a search parameter.")
    page_key: str = _setting("", "Secret that signs page tokens; empty: made anew at each start.")
    best_practice: str = _setting("ignore", "Constraints that are only best practice: `ignore` or `warn`.")
    unknown_extensions: str = _setting("accept", "Extensions nobody defined: `accept`, `warn` or `refuse`.")
    content_dir: str = _setting("", "Folder with `profiles` and `terminology`; empty: those of the installation.")
    packages_dir: str = _setting("", "Folder of installed FHIR packages; empty: `packages` in `--data-dir`, else none.")
    terminology_dir: str = _setting(
        "", "Folder of loaded code systems; empty: `terminology` in `--data-dir`, else none."
    )
    identifiers: str = _setting(
        "warn", "Form and key of French identifiers: `off`, `warn` or `production` (INS refused)."
    )
    validation_policy: str = _setting(
        "", "TOML file: which profiles refuse, warn or are left alone; empty: all refuse."
    )
    log_level: str = _setting("info", "Level of the log: `debug`, `info`, `warning` or `error`.")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **overrides: Any) -> "Settings":
        """Returns the settings of `environment`, with `overrides` on top.

        Raises ValueError, naming the variable, where a number is not one.
        """
        values: dict[str, Any] = {}
        for entry in fields(cls):
            variable = variable_name(entry.name)
            if variable not in environment:
                continue
            text = environment[variable]
            if isinstance(entry.default, int):
                if not text.isdigit():
                    raise ValueError(f"{variable} must be a whole number, not `{text}`.")
                values[entry.name] = int(text)
            else:
                values[entry.name] = text
        return cls(**(values | overrides))


def terminology_directory(settings: Settings, data_dir: Path | None) -> Path | None:
    """Returns the folder of loaded code systems: the setting's, else `terminology` in the data folder, else None."""
    if settings.terminology_dir:
        return Path(settings.terminology_dir)
    return data_dir / "terminology" if data_dir else None


def packages_directory(settings: Settings, data_dir: Path | None) -> Path | None:
    """Returns the folder of installed packages: the setting's, else `packages` in the data folder, else None."""
    if settings.packages_dir:
        return Path(settings.packages_dir)
    return data_dir / "packages" if data_dir else None


def with_folders(settings: Settings, data_dir: Path | None) -> Settings:
    """Returns the settings with the folders that they leave to `--data-dir`."""
    return replace(
        settings,
        terminology_dir=str(terminology_directory(settings, data_dir) or ""),
        packages_dir=str(packages_directory(settings, data_dir) or ""),
    )


def variable_name(setting: str) -> str:
    """Returns the environment variable of a setting."""
    return f"FHIR_{setting.upper()}"


def describe() -> list[tuple[str, str, str]]:
    """Returns (variable, default, sentence) of every setting, for the README's table."""
    return [(variable_name(f.name), str(f.default), f.metadata["sentence"]) for f in fields(Settings)]

"""`fhir-server demo`: the main job in one command: server, network, one pathway pushed, read back, one refused."""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from fhir_server import synthetic
from fhir_server.app import ROOT
from fhir_server.cli.serve import is_free
from fhir_server.spec.json_format import encode

HEADERS = {"Content-Type": "application/fhir+json", "Accept-Language": "fr"}
START_LIMIT_S = 60


def main(arguments: Sequence[str]) -> int:
    """Runs the demonstration; returns 0 when every step did what it should."""
    parser = argparse.ArgumentParser(prog="fhir-server demo", description="Montre le serveur · Shows the server")
    parser.add_argument("--port", type=int, default=8080, help="port (%(default)s)")
    parser.add_argument("--exit", action="store_true", help="s'arrête à la fin · ends by itself")
    parser.add_argument("--seed", type=int, default=1, help="graine du réseau synthétique · seed (%(default)s)")
    options = parser.parse_args(arguments)
    if not is_free("127.0.0.1", options.port):
        print(f"Le port {options.port} est déjà utilisé · port in use: make demo PORT=8081", file=sys.stderr)
        return 1
    started = time.monotonic()
    base_url = f"http://127.0.0.1:{options.port}{ROOT}"
    with server(options.port) as process:
        if not wait_until_ready(process, base_url):
            return 1
        try:
            with httpx.Client(base_url=base_url, headers=HEADERS, timeout=30) as client:
                show(client, options.seed)
        except DemoFault as fault:
            print(f"\nLa démonstration a échoué · the demonstration failed: {fault}", file=sys.stderr)
            return 1
        print(f"\nDurée · took {time.monotonic() - started:.0f} s.")
        suggest(base_url)
        return 0 if options.exit else stay(process)


class DemoFault(Exception):
    """A step that did not do what it should."""


@contextmanager
def server(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `fhir-server serve` in a process of its own, with temporary data."""
    command = [sys.executable, "-m", "fhir_server", "serve", "--port", str(port), "--workers", "2"]
    environment = {name: value for name, value in os.environ.items() if name != "FHIR_MONGODB_URI"}
    process = subprocess.Popen(command, env=environment)  # noqa: S603 (our own program)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def wait_until_ready(process: subprocess.Popen[bytes], base_url: str) -> bool:
    """Returns True once the server answers; False, with one sentence, where it ended or took too long."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{base_url}/metadata", timeout=5).status_code == httpx.codes.OK:
                return True
        except httpx.TransportError:
            time.sleep(0.1)
    print("Le serveur n'a pas démarré · the server did not start.", file=sys.stderr)
    return False


def show(client: httpx.Client, seed: int) -> None:
    """Runs the steps; raises DemoFault at the first one that goes wrong."""
    _title("1", "Un réseau synthétique se charge", "a synthetic network is loaded")
    code = _load_network(str(client.base_url).rstrip("/"), seed)
    if code:
        raise DemoFault("demo-data")
    _title("2", "Un parcours de patient entre en une transaction", "a patient's pathway goes in, in one transaction")
    bundle = synthetic.pathway_bundle(seed, network_seed=seed)
    answer = _post(client, bundle, 200)
    places = [entry["response"]["location"] for entry in answer["entry"]]
    statuses = sorted({entry["response"]["status"] for entry in answer["entry"]})
    print(f"  {len(places)} ressources : {', '.join(statuses)}")
    _title("3", "Il se relit et se corrige", "it is read back and changed")
    _read_and_change(client, places)
    _title("4", "Un parcours fautif est refusé en entier", "a wrong pathway is refused as a whole")
    outcome = _post(client, synthetic.broken_pathway_bundle(seed, network_seed=seed), 422)
    for issue in outcome["issue"]:
        if issue["severity"] in ("error", "fatal"):
            print(f"  ✗ {', '.join(issue.get('expression', ['?']))}")
            print(f"    {issue['details']['coding'][0]['code']} : {issue['details']['text']}")


def _load_network(base_url: str, seed: int) -> int:
    from fhir_server.cli import demo_data

    return demo_data.main(["--size", "small", "--seed", str(seed), "--server", base_url])


def _read_and_change(client: httpx.Client, places: Sequence[str]) -> None:
    patient_path = next(place for place in places if place.startswith("Patient/")).partition("/_history")[0]
    patient_id = patient_path.partition("/")[2]
    patient = _get(client, patient_path)
    team = _get(client, f"CareTeam?patient={patient_id}&_include=CareTeam:participant")
    kinds = [entry["search"]["mode"] for entry in team["entry"]]
    print(f"  Patient/{patient_id} ; équipe : {kinds.count('match')} CareTeam, {kinds.count('include')} membres")
    observations = _get(client, f"Observation?patient={patient_id}&_sort=-date&_count=5")
    print(f"  {observations['total']} observations, la plus récente : {observations['entry'][0]['resource']['id']}")
    changed = patient | {"telecom": [{"system": "phone", "value": "0600000000", "use": "mobile"}]}
    etag = f'W/"{patient["meta"]["versionId"]}"'
    answer = client.put(patient_path, content=encode(changed), headers={"If-Match": etag})
    stale = client.put(patient_path, content=encode(changed | {"active": False}), headers={"If-Match": etag})
    if (answer.status_code, stale.status_code) != (httpx.codes.OK, httpx.codes.PRECONDITION_FAILED):
        raise DemoFault(f"PUT {answer.status_code}, {stale.status_code}: {answer.text}")
    changed_to = f"{answer.status_code}, {answer.headers['etag']}"
    print(f"  PUT If-Match: {etag} → {changed_to} ; la même, périmée → {stale.status_code}")


def _post(client: httpx.Client, bundle: dict[str, Any], expected: int) -> dict[str, Any]:
    answer = client.post("", content=encode(bundle))
    print(f"  POST {client.base_url} ({len(bundle['entry'])} entrées) → {answer.status_code}")
    if answer.status_code != expected:
        raise DemoFault(answer.text)
    result: dict[str, Any] = answer.json()
    return result


def _get(client: httpx.Client, path: str) -> dict[str, Any]:
    answer = client.get(path)
    print(f"  GET {path} → {answer.status_code}")
    if answer.status_code != httpx.codes.OK:
        raise DemoFault(answer.text)
    result: dict[str, Any] = answer.json()
    return result


def suggest(base_url: str) -> None:
    """Prints five lines to try next."""
    _title("→", "À essayer", "try next")
    system = "https://cnrms.fr/ig/fhir/msma/CodeSystem"
    for line in (
        f"curl '{base_url}/EpisodeOfCare?status=active&_include=EpisodeOfCare:patient&_pretty=true'",
        f"curl '{base_url}/Observation?code={system}/msma-observation|substance-use&_sort=-date&_count=3&_pretty=true'",
        f"curl '{base_url}/CareTeam?_count=1&_include=CareTeam:participant&_pretty=true'",
        f"curl '{base_url}/Encounter?type=meeting&date=ge2023-01&_count=2&_pretty=true'",
        f"curl -X POST '{base_url}/Patient' -H 'Content-Type: application/fhir+json'"
        ' -d \'{"resourceType":"Patient","gender":"femme"}\'',
    ):
        print(f"  {line}")
    sys.stdout.flush()


def stay(process: subprocess.Popen[bytes]) -> int:
    """Waits for Ctrl-C, or for the server to end."""
    print("\nLe serveur reste ouvert ; Ctrl-C l'arrête · the server stays up; Ctrl-C ends it.")
    sys.stdout.flush()
    try:
        return process.wait()
    except KeyboardInterrupt:
        print()
        return 0


def _title(number: str, french: str, english: str) -> None:
    print(f"\n{number}  {french} · {english}")
    sys.stdout.flush()

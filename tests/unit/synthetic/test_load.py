from typing import Any

import httpx
import pytest

from fhir_server.synthetic import Loader, LoadRefused, Tally, count_foreign_patients

from .server import TakingServer, outcome


async def load(server: TakingServer, *, workers: int = 3) -> Tally:
    tally = Tally()
    async with server.client() as client:
        await Loader(client, tally.add_bundle, tally.add_course, first_wait_s=0.0).load("small", 1, workers)
    return tally


async def test_everything_is_sent_once() -> None:
    server = TakingServer()
    tally = await load(server)
    assert tally.patients["all"] == 12
    assert len(set(server.urls)) == len(server.urls) == tally.resources.total()


@pytest.mark.parametrize("workers", [1, 2, 20])
async def test_organisations_come_first_and_patients_before_their_care(workers: int) -> None:
    server = TakingServer()
    await load(server, workers=workers)
    position = {url: number for number, url in enumerate(server.urls)}
    first_patient = min(number for url, number in position.items() if url.startswith("Patient/"))
    assert position["Organization/s1-demo-ms03"] < first_patient
    assert position["Patient/s1-demo-p0012"] < position["Encounter/s1-demo-p0012-e10"]


@pytest.mark.parametrize(
    "busy",
    [
        httpx.Response(503, headers={"Retry-After": "3"}, json=outcome("MongoDB ne répond pas.", "")),
        httpx.Response(409, json=outcome("D'autres changent la même chose.", "")),
        httpx.ConnectError("refused"),
    ],
    ids=["unavailable", "conflict", "unreachable"],
)
async def test_a_busy_server_is_asked_again(busy: Any) -> None:
    server = TakingServer(first=[busy, busy])
    tally = await load(server)
    assert len(server.urls) == tally.resources.total()


async def test_a_server_that_stays_busy_is_given_up() -> None:
    server = TakingServer(first=[httpx.Response(503, json=outcome("Occupé.", "")) for _ in range(8)])
    with pytest.raises(LoadRefused, match=r"8 essais.*(?s:.)*Occupé"):
        await load(server)
    assert server.urls == []


async def test_a_refusal_stops_with_the_words_of_the_server() -> None:
    server = TakingServer(first=[httpx.Response(422, json=outcome("Le travailleur social manque.", "CareTeam"))])
    with pytest.raises(LoadRefused, match=r"HTTP 422\n  CareTeam : Le travailleur social manque\."):
        await load(server)


async def test_a_refusal_without_outcome_shows_the_body() -> None:
    server = TakingServer(first=[httpx.Response(404, text="Not found here")])
    with pytest.raises(LoadRefused, match="HTTP 404 : Not found here"):
        await load(server)


async def test_a_refused_patient_stops_all_workers() -> None:
    class Forgetful(TakingServer):
        def answer(self, request: httpx.Request) -> httpx.Response:
            if b"CareTeam/s1-demo-p0003" in request.content:
                return httpx.Response(422, json=outcome("Équipe refusée.", "CareTeam"))
            return super().answer(request)

    with pytest.raises(LoadRefused, match="Équipe refusée"):
        await load(Forgetful(), workers=4)


@pytest.mark.parametrize("foreign", [0, 3])
async def test_patients_that_are_not_test_data_are_counted(foreign: int) -> None:
    async with TakingServer(foreign_patients=foreign).client() as client:
        assert await count_foreign_patients(client) == foreign


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(500, json=outcome("Panne.", "")), "Panne"),
        (httpx.Response(200, json={"resourceType": "Bundle"}), "no `total`"),
        (httpx.ConnectError("refused"), "fhir-server serve"),
    ],
    ids=["error", "no-total", "unreachable"],
)
async def test_a_server_that_cannot_count_is_refused(answer: httpx.Response | httpx.ConnectError, message: str) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, httpx.ConnectError):
            raise answer
        return answer

    async with httpx.AsyncClient(base_url="http://test/fhir", transport=httpx.MockTransport(respond)) as client:
        with pytest.raises(LoadRefused, match=message):
            await count_foreign_patients(client)

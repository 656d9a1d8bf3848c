"""``scripts/audit.py`` against a service that speaks OSV's protocol on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("pip_audit")

ROOT = Path(__file__).resolve().parents[1]
ADVISORY = {
    "id": "TEST-2026-1",
    "schema_version": "1.6.0",
    "summary": "it burns",
    "affected": [
        {
            "package": {"name": "matches", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}],
        }
    ],
}


class Service(BaseHTTPRequestHandler):
    """Knows one faulty package; refuses to speak about another."""

    def do_GET(self) -> None:
        self._say(404, {})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
        self._say(500 if asked == "refused" else 200, {"vulns": [ADVISORY]} if asked == "matches" else {})

    def _say(self, status: int, answer: dict[str, object]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def audit(tmp_path: Path, service: str, pins: str, *more: str) -> tuple[int, str]:
    (tmp_path / "pins.txt").write_text(pins)
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "audit.py"), "--pins", str(tmp_path / "pins.txt"),
         "--service", service, *more],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def test_sound_versions_pass_and_a_faulty_one_is_named_with_its_remedy(tmp_path: Path, service: str) -> None:
    assert audit(tmp_path, service, "paper==1.0\nink==3.1\n") == (
        0,
        "No known vulnerability in 2 pinned versions.\n",
    )
    status, said = audit(tmp_path, service, "paper==1.0\nmatches==1.0\n")
    assert status == 1
    assert "matches 1.0: TEST-2026-1, mended in 2.0" in said


def test_an_answer_that_was_not_given_is_no_clean_bill(tmp_path: Path, service: str) -> None:
    status, said = audit(tmp_path, service, "paper==1.0\nrefused==1.0\n")
    assert status == 1
    assert "not answered" in said
    nobody = "http://127.0.0.1:9"
    for more, expected in (((), 0), (("--strict",), 1)):
        status, said = audit(tmp_path, nobody, "paper==1.0\n", *more)
        assert status == expected
        assert said == (
            f"NOT CHECKED for known vulnerabilities: {nobody} cannot be reached (ConnectionError).\n"
        )

"""The emulator and a service that hands out keys for it, slowly, in a process of their own; told by lines of JSON."""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from airflow_provider_dataworks.emulator import Emulator


def main() -> None:
    """Serve until standard input ends; a line is ``"report"`` or statuses to set, by job."""
    settings = json.loads(sys.stdin.readline())
    delay, life = settings.pop("delay"), settings.pop("life")
    with Emulator(**settings) as emulator:
        asked: list[float] = []
        numbers = itertools.count(1)

        class Handler(BaseHTTPRequestHandler):
            """Answers both as STS and as a credentials URI, without a look at the signature."""

            def do_GET(self) -> None:
                """Hand out keys that the emulator then knows."""
                self.rfile.read(int(self.headers.get("content-length", 0)))
                asked.append(time.time())
                time.sleep(delay)
                number, expires = next(numbers), time.time() + life
                identity, secret, token = f"STS.{number}", f"secret-{number}", f"token-{number}"
                emulator.add_access_key(identity, secret, token, expires)
                end = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                keys = {"AccessKeyId": identity, "AccessKeySecret": secret, "SecurityToken": token, "Expiration": end}
                body = json.dumps({"Code": "Success", **keys, "Credentials": keys}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - http.server's name

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps({"port": emulator.port, "keys": server.server_port}), flush=True)
        for line in sys.stdin:
            told = json.loads(line)
            if told == "report":
                print(json.dumps({"asked": len(asked), "refused": emulator.count(outcome="refused")}), flush=True)
            else:
                for identity, status in told.items():
                    emulator.set_status(int(identity), status)
                print("null", flush=True)
        server.shutdown()


if __name__ == "__main__":
    main()

"""A receiver of Meridian's webhooks in Python: `pip install standardwebhooks`, then

WEBHOOK_SECRET=whsec_… PORT=8000 python webhook_receiver.py
"""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
seen: set[str] = set()  # in earnest: a table with a unique column, written together with what the event changes
newest: dict[str, int] = {}  # the highest sequence of each object; in earnest: a column beside the object


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))  # the bytes as they came: never parsed and dumped
        try:
            event = webhook.verify(body, {name.lower(): value for name, value in self.headers.items()})
        except WebhookVerificationError:
            self.answer(400)  # not from Meridian, altered, or too old; `meridian webhook explain` says which
            return
        if event["id"] not in seen:  # delivery is at least once: the same event may come again
            seen.add(event["id"])
            if event["sequence"] > newest.get(event["object_id"], 0):
                newest[event["object_id"]] = event["sequence"]
                print("accepted", event["type"], event["object_id"], event["sequence"], flush=True)
            else:  # an earlier event that was stuck: the object is further already, so ask the API for its state
                print("late", event["type"], event["object_id"], event["sequence"], flush=True)
        self.answer(204)  # quickly, within 20 seconds: longer work belongs in a queue of your own

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Receiver).serve_forever()

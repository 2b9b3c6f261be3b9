"""Presidio's analyzer behind HTTP, as its own server has it: `POST /analyze`.

The package from PyPI has no server, so this one hands requests to the real engine. Its language model is a
blank one that knows a few names, so that no model has to be fetched. Prints its URL, and serves until it is
killed.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.analyzer_request import AnalyzerRequest
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import SpacyRecognizer

PEOPLE = ["Grace Hopper", "Zoë Quibble"]


class KnownNames(SpacyNlpEngine):
    def __init__(self):
        super().__init__()
        model = spacy.blank("en")
        ruler = model.add_pipe("entity_ruler")
        ruler.add_patterns([{"label": "PERSON", "pattern": name} for name in PEOPLE])
        self.nlp = {"en": model}


registry = RecognizerRegistry(recognizers=[SpacyRecognizer()])
engine = AnalyzerEngine(registry=registry, nlp_engine=KnownNames(), supported_languages=["en"])


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path != "/analyze":
            self.send_error(404)
            return
        asked = AnalyzerRequest(json.loads(body))
        found = engine.analyze(
            text=asked.text,
            language=asked.language,
            entities=asked.entities,
            score_threshold=asked.score_threshold,
        )
        answer = json.dumps([one.to_dict() for one in found]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()

#!/usr/bin/env python3
"""Presidio's pattern recognisers over `values.jsonl`, to hold Lockgate's detectors against.

Install, in a virtual environment of its own:

    python3 -m venv /tmp/presidio-venv
    /tmp/presidio-venv/bin/pip install presidio-analyzer==2.2.366

Run:

    /tmp/presidio-venv/bin/python crates/rules/corpus/presidio.py          # as shipped for English
    /tmp/presidio-venv/bin/python crates/rules/corpus/presidio.py --all    # every country's, as English

Prints for each class how many of the values are covered from end to end by a finding of any type, how many
of the texts without values give a finding, and how fast that was. Lockgate's numbers for the same file come from
`cargo nextest run -p lockgate-rules --test values --no-capture`.

No named-entity recognition: spaCy's blank English model only splits words, and nothing is downloaded. The name of
a key is given as context, as Presidio does with the keys of objects. Types that Lockgate has no class for (days
and URLs) are left out, since all of their findings would be false ones. `--threshold` drops findings below a
score; Presidio's own default is 0.
"""

import argparse
import inspect
import json
import pathlib
import re
import time
from collections import Counter, defaultdict

import spacy
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, predefined_recognizers
from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

CORPUS = pathlib.Path(__file__).with_name("values.jsonl")
# Stands in the middle of secrets in the file, so that no scanner takes the corpus for a leak.
JOINT = "\u241f"
LEFT_OUT = {"DATE_TIME", "URL", "UUID"}
# Recognisers that need a model or a service.
MODELS = re.compile(r"Spacy|Stanza|Transformers|Gliner|GLiNER|HuggingFace|Azure|LangExtract|Ahds|LM|Ner|NER")


def blank_engine():
    """An NLP engine that splits words and does nothing else."""
    engine = SpacyNlpEngine(
        models=[{"lang_code": "en", "model_name": "blank"}],
        ner_model_configuration=NerModelConfiguration(),
    )
    engine.nlp = {"en": spacy.blank("en")}
    return engine


def registry(every):
    """The recognisers as shipped for English, or those of every country."""
    registry = RecognizerRegistry(supported_languages=["en"])
    if not every:
        registry.load_predefined_recognizers(languages=["en"])
        registry.recognizers = [one for one in registry.recognizers if not MODELS.search(type(one).__name__)]
        return registry
    for name, kind in inspect.getmembers(predefined_recognizers, inspect.isclass):
        if issubclass(kind, EntityRecognizer) and not MODELS.search(name):
            try:
                registry.add_recognizer(kind(supported_language="en"))
            except (TypeError, ImportError) as error:
                print(f"without {name}: {error}")
    return registry


def entries():
    """The corpus with its joints gone."""
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        yield json.loads(line.replace(JOINT, "").replace("\\u241f", ""))


def scan(engine, entry, wanted, threshold):
    """The spans that are found in one text."""
    context = re.split(r"[^A-Za-z0-9]+", entry["key"]) if "key" in entry else None
    found = engine.analyze(
        entry["text"], "en", entities=wanted, context=context, score_threshold=threshold
    )
    return [(one.start, one.end, one.entity_type) for one in found]


def main():
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every country's recognisers")
    parser.add_argument("--threshold", type=float, default=0.0)
    args = parser.parse_args()
    engine = AnalyzerEngine(
        registry=registry(args.all), nlp_engine=blank_engine(), supported_languages=["en"]
    )
    wanted = [one for one in engine.get_supported_entities("en") if one not in LEFT_OUT]
    values, covered = Counter(), Counter()
    quiet, wrong, types, size = 0, 0, Counter(), 0
    texts = list(entries())
    begin = time.perf_counter()
    for entry in texts:
        size += len(entry["text"].encode())
        found = scan(engine, entry, wanted, args.threshold)
        if "find" not in entry:
            quiet += 1
            wrong += bool(found)
            types.update(kind for _, _, kind in found)
        for one in entry.get("find", []):
            start = entry["text"].rfind(one["value"])
            end = start + len(one["value"])
            values[one["class"]] += 1
            covered[one["class"]] += any(a <= start and end <= b for a, b, _ in found)
    seconds = time.perf_counter() - begin
    report(values, covered)
    print(f"{wrong} of {quiet} texts without values gave a finding: {wrong / quiet:.4f}; {types.most_common(12)}")
    print(f"{size / 1e6:.2f} MB in {seconds:.1f} s: {size / 1e6 / seconds:.3f} MB/s")


def report(values, covered):
    """Prints recall by class, and by family."""
    families = defaultdict(lambda: [0, 0])
    for name in sorted(values):
        print(f"{name}: {values[name]} values, covered {covered[name] / values[name]:.3f}")
        family = families[".".join(name.split(".")[:2])]
        family[0] += values[name]
        family[1] += covered[name]
    print("by family:")
    for name, (count, hits) in sorted(families.items()):
        print(f"{name}: {count} values, covered {hits / count:.3f}")
    print(f"all: {sum(values.values())} values, covered {sum(covered.values()) / sum(values.values()):.3f}")


if __name__ == "__main__":
    main()

"""Reads an export as other programs would, and prints what it found as one JSON document.

    export.py lines FILE     DuckDB over JSON lines, packed or not
    export.py rows FILE      DuckDB over Parquet
    export.py ocsf FILE      every line against the published OCSF schema of its version
"""

import json
import sys

LINES = """read_json(?, format = 'newline_delimited', maximum_object_size = 134217728, columns = {
    seq: 'UBIGINT', "time": 'BIGINT', prev: 'VARCHAR', hash: 'VARCHAR', event: 'JSON' })"""


def ask(database, query, *values):
    return database.execute(query, values).fetchall()


def lines(path):
    import duckdb

    database = duckdb.connect()
    return {
        "records": ask(database, f"SELECT count(*), max(seq) FROM {LINES}", path)[0],
        "verdicts": ask(
            database,
            f"""SELECT event->>'$.intent.subject' AS subject, count(*)
                FROM {LINES} WHERE json_exists(event, '$.intent.verdict.allow')
                GROUP BY subject ORDER BY subject""",
            path,
        ),
        "nested": ask(
            database,
            f"""SELECT count(*) FROM {LINES}
                WHERE CAST(event->>'$.intent.arguments.where.n' AS HUGEINT) > 9007199254740992""",
            path,
        )[0][0],
        "texts": [
            row[0]
            for row in ask(
                database,
                f"""SELECT event->>'$.intent.arguments.text' AS text FROM {LINES}
                    WHERE text IS NOT NULL ORDER BY seq""",
                path,
            )
        ],
    }


def rows(path):
    import duckdb

    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    file = "read_parquet(?)"
    return {
        "columns": [row[:2] for row in ask(database, f"DESCRIBE SELECT * FROM {file}", path)],
        "calls": ask(database, f"SELECT count(*), count(DISTINCT call) FROM {file}", path)[0],
        "verdicts": ask(
            database,
            f"""SELECT subject, verdict, coalesce(status, 'none'), count(*), sum(bytes)::BIGINT
                FROM {file} GROUP BY ALL ORDER BY ALL""",
            path,
        ),
        "ended": ask(database, f"SELECT ended, count(*) FROM {file} GROUP BY ALL ORDER BY ALL", path),
        "groups": ask(
            database,
            f"""SELECT g, count(*) FROM (SELECT unnest(groups) AS g FROM {file})
                GROUP BY g ORDER BY g""",
            path,
        ),
        "ungrouped": ask(database, f"SELECT count(*) FROM {file} WHERE len(groups) = 0", path)[0][0],
        "nested": ask(
            database,
            f"""SELECT count(*) FROM {file}
                WHERE CAST(arguments::JSON->>'$.where.n' AS HUGEINT) > 9007199254740992""",
            path,
        )[0][0],
        "hours": ask(
            database,
            f"""SELECT strftime(date_trunc('hour', time), '%Y-%m-%dT%H:%M'), count(*)
                FROM {file} GROUP BY ALL ORDER BY ALL""",
            path,
        ),
        "arguments": [row[0] for row in ask(database, f"SELECT arguments FROM {file} ORDER BY seq", path)],
        "results": [row[0] for row in ask(database, f"SELECT result FROM {file} ORDER BY seq", path)],
        "subjects": [row[0] for row in ask(database, f"SELECT subject FROM {file} ORDER BY seq", path)],
    }


def ocsf(path):
    from jsonschema import Draft202012Validator
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    checks = {}
    events, faults, classes = 0, [], {}
    with open(path, encoding="utf-8", newline="\n") as file:
        for line in file:
            event = json.loads(line)
            metadata = event["metadata"]
            kind = (metadata["version"], event["class_uid"], *metadata["profiles"])
            if kind not in checks:
                schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=kind[0]))
                name = schema.lookup_class_name_from_uid(kind[1])
                checks[kind] = Draft202012Validator(schema.get_class_schema(name, list(kind[2:])))
            events += 1
            classes[str(kind[1])] = classes.get(str(kind[1]), 0) + 1
            for error in checks[kind].iter_errors(event):
                faults.append(f"line {events}: {error.json_path}: {error.message[:300]}")
    return {"events": events, "classes": classes, "faults": faults[:20]}


if __name__ == "__main__":
    how, path = sys.argv[1:]
    print(json.dumps({"lines": lines, "rows": rows, "ocsf": ocsf}[how](path)))

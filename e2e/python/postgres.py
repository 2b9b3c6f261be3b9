"""PostgreSQL's own parser (libpg_query, by pglast) as an oracle for the command guard.

Reads nothing; writes one JSON object a line: `text`, `kind`, and `changes`: whether the tree holds a write or a call of a
function with effects. Statements come from the corpus that is named on the command line, and from a generator.
"""

import json
import random
import sys

from pglast import ast, parse_sql
from pglast.parser import ParseError
from pglast.visitors import Visitor

WRITES = (
    ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt, ast.DropStmt, ast.TruncateStmt, ast.AlterTableStmt,
    ast.GrantStmt, ast.GrantRoleStmt, ast.CreateRoleStmt, ast.AlterRoleStmt, ast.DropRoleStmt, ast.DoStmt, ast.CallStmt,
    ast.CreateStmt, ast.CreateFunctionStmt, ast.AlterSystemStmt, ast.DropdbStmt, ast.ReassignOwnedStmt, ast.DropOwnedStmt,
    ast.LoadStmt, ast.CreateTableAsStmt, ast.AlterOwnerStmt, ast.RenameStmt, ast.CreateExtensionStmt,
)
EFFECTS = {
    "pg_terminate_backend", "pg_cancel_backend", "setval", "nextval", "lo_unlink", "lo_export", "lo_import", "pg_read_file",
    "pg_ls_dir", "dblink_exec", "dblink", "pg_reload_conf", "set_config", "query_to_xml", "pg_promote",
}
VERBS = [
    "DELETE FROM t", "DELETE FROM t WHERE a = 1", "DELETE FROM ONLY t USING u WHERE t.a = u.a", "UPDATE t SET a = 1",
    "UPDATE ONLY t SET (a, b) = (1, 2) WHERE c = 'x'", "INSERT INTO t VALUES ( 1 )", "INSERT INTO t DEFAULT VALUES",
    "INSERT INTO t SELECT * FROM u ON CONFLICT DO NOTHING", "INSERT INTO t VALUES ( 1 ) ON CONFLICT ( a ) DO UPDATE SET b = 2",
    "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", "TRUNCATE t , u CASCADE", "DROP TABLE IF EXISTS t",
    "ALTER TABLE t DROP COLUMN a", "GRANT SELECT ON t TO x", "REVOKE ALL ON t FROM x", "SELECT pg_terminate_backend ( 1 )",
    "SELECT a , setval ( 's' , 1 ) FROM t", "SELECT pg_catalog.pg_read_file ( 'x' )", "SELECT \"pg_ls_dir\" ( '/' )",
    "COPY t FROM PROGRAM 'x'", "COPY t TO '/tmp/x'", "COPY t FROM STDIN", "SELECT 1", "SELECT a FROM t WHERE b = 'DELETE FROM t'",
    "SELECT \"DROP\" FROM \"TABLE\"", "CALL f ( 1 )", "VALUES ( 1 )", "TABLE t", "SELECT * FROM t FOR UPDATE",
    "SELECT a INTO b FROM t", "ALTER SYSTEM SET a = 1", "REASSIGN OWNED BY a TO b", "ALTER TABLE t OWNER TO x", "LOAD 'x'",
    "CREATE TABLE x ( a int )", "CREATE ROLE x", "DROP ROLE x", "CREATE EXTENSION x", "ALTER TABLE t RENAME TO u",
]
WRAPS = [
    "{}", "WITH x AS ( {} RETURNING * ) SELECT * FROM x", "WITH x AS ( SELECT 1 ) , y AS MATERIALIZED ( {} RETURNING 1 ) SELECT 2",
    "EXPLAIN ANALYZE {}", "EXPLAIN ( ANALYZE , BUFFERS ) {}", "EXPLAIN {}", "EXPLAIN ( ANALYZE false ) {}", "PREPARE p AS {}",
    "SELECT 1 ; {}", "{} ; SELECT 1", "BEGIN ; {} ; COMMIT", "CREATE TABLE y AS WITH x AS ( {} RETURNING * ) SELECT * FROM x",
    "COPY ( {} RETURNING * ) TO STDOUT", "DO $$ BEGIN {} ; END $$", "DO $a$ BEGIN EXECUTE $b$ {} $b$ ; END $a$",
    "WITH RECURSIVE x AS ( SELECT 1 ) {}", "DECLARE c CURSOR FOR {}", "SELECT ( {} )", "CREATE VIEW v AS {}",
    "SELECT * FROM ( {} ) x", "( {} )", "SELECT 'x' ; ; {}", "EXPLAIN VERBOSE {}",
]
SPACES = [" ", "  ", "\n", "\t", "/**/", "/* DROP TABLE t */", "--x\n", "/*a/*b*/c*/", "\r\n", "/*'*/", "--'\n", "\f"]


class Finder(Visitor):
    """Remembers whether anything in the tree changes something."""

    def __init__(self):
        super().__init__()
        self.changes = False
        self.shown = False

    def visit(self, ancestors, node):
        if isinstance(node, ast.ExplainStmt):
            options = {option.defname: option.arg for option in node.options or ()}
            analyze = options.get("analyze", False)
            off = getattr(analyze, "sval", None) in ("false", "off", "0") or getattr(analyze, "boolval", None) is False
            self.shown |= "analyze" not in options or (analyze is not None and off)
        elif isinstance(node, WRITES):
            self.changes = True
        elif isinstance(node, ast.SelectStmt) and node.intoClause:
            self.changes = True
        elif isinstance(node, ast.CopyStmt):
            self.changes |= bool(node.is_from or node.is_program or node.filename)
        elif isinstance(node, ast.FuncCall):
            self.changes |= node.funcname[-1].sval in EFFECTS


def changes(text):
    """Whether PostgreSQL would change something; None where it does not accept the text."""
    try:
        statements = parse_sql(text)
    except ParseError:
        return None
    found = False
    for statement in statements:
        finder = Finder()
        finder(statement)
        # A plan that is only shown runs nothing.
        found |= finder.changes and not finder.shown
    return found


def generate(numbers):
    """A verb in a wrapping, with case, space and comments changed."""
    plain = numbers.choice(WRAPS).replace("{}", numbers.choice(VERBS))
    out, quote = [], None
    for character in plain:
        if quote == character:
            quote = None
        elif quote is None and character in "'\"":
            quote = character
        if character == " " and quote is None:
            out.append(numbers.choice(SPACES))
        elif quote is None and numbers.random() < 0.5:
            out.append(character.lower())
        else:
            out.append(character)
    return "".join(out)


def main():
    numbers = random.Random(7)
    texts = [generate(numbers) for _ in range(int(sys.argv[2]))]
    with open(sys.argv[1], encoding="utf-8") as corpus:
        entries = [json.loads(line) for line in corpus]
    texts += [entry["text"] for entry in entries if entry["kind"] == "sql"]
    for text in texts:
        found = changes(text)
        if found is not None:
            print(json.dumps({"text": text, "kind": "sql", "changes": found}))


main()

//! Redis and what speaks like it, by the first word or two of each line.

use crate::guard::desk::Desk;

/// Whether a text begins with a command of Redis that writes, in its usual spelling.
pub(super) fn resembles(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    let Some(first) = words.first() else { return false };
    let upper = first.to_ascii_uppercase();
    let second = words.get(1).map(|word| word.to_ascii_uppercase());
    matches!(upper.as_str(), "FLUSHALL" | "FLUSHDB")
        || (upper == "CONFIG" && second.as_deref() == Some("SET"))
        || (upper == "SCRIPT" && second.as_deref() == Some("FLUSH"))
        || (*first == upper && matches!(upper.as_str(), "SLAVEOF" | "REPLICAOF" | "SWAPDB"))
        || (*first == upper && upper == "EVAL" && text.contains("redis."))
}

/// Reads the text, if it is one.
pub(super) fn read(desk: &mut Desk<'_>, text: &str) -> bool {
    let mut known = false;
    let mut at = 0;
    for line in text.split(['\n', ';']) {
        let span = at..at + line.len();
        at += line.len() + 1;
        let words: Vec<String> = line
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']).to_ascii_uppercase())
            .collect();
        let (Some(first), second) = (words.first(), words.get(1).map_or("", String::as_str)) else {
            continue;
        };
        let Some((label, note)) = command(first, second, line) else { continue };
        known = true;
        desk.fact(label, span, note);
    }
    known
}

fn command(first: &str, second: &str, line: &str) -> Option<(&'static str, &'static str)> {
    Some(match (first, second) {
        ("FLUSHALL" | "FLUSHDB" | "FLUSH_ALL", _) => ("db.drop", "this would delete every key"),
        ("EVAL" | "EVALSHA" | "FCALL" | "EVAL_RO", _) => script(line),
        ("CONFIG", "SET" | "REWRITE" | "RESETSTAT") => {
            ("db.server", "this would change the server's settings")
        }
        ("SHUTDOWN", _) => ("db.server", "this would stop the server"),
        ("DEBUG", _) => ("db.server", "this would make the server crash, sleep or reload"),
        ("SLAVEOF" | "REPLICAOF" | "FAILOVER" | "MIGRATE" | "PSYNC" | "SYNC", _) => {
            ("db.server", "this would change replication, or move data away")
        }
        (
            "CLUSTER",
            "RESET" | "FAILOVER" | "FORGET" | "DELSLOTS" | "FLUSHSLOTS" | "SETSLOT" | "REPLICATE",
        ) => ("db.server", "this would change the cluster"),
        ("CLIENT", "KILL" | "PAUSE") => ("db.server", "this would cut clients off"),
        ("MODULE", "LOAD" | "LOADEX" | "UNLOAD") => {
            ("db.server", "this would load code into the server")
        }
        ("SCRIPT", "FLUSH" | "KILL") | ("FUNCTION", "FLUSH" | "DELETE" | "RESTORE") => {
            ("db.server", "this would remove scripts of the server")
        }
        ("ACL", "SETUSER" | "DELUSER" | "LOAD" | "SAVE") => {
            ("db.privilege", "this would change accounts or rights")
        }
        ("SWAPDB", _) => ("db.drop", "this would swap two databases"),
        ("RESTORE", _) if line.to_ascii_uppercase().contains("REPLACE") => {
            ("db.write", "a key is replaced")
        }
        ("DEL" | "UNLINK" | "GETDEL", _) if line.contains('*') || line.contains("{}") => {
            ("db.delete.unbounded", "this would delete every key of a pattern")
        }
        ("XGROUP" | "FT.DROPINDEX" | "FT.DROP" | "GRAPH.DELETE" | "TS.DEL", second)
            if first != "XGROUP" || second == "DESTROY" =>
        {
            ("db.drop", "this would drop an index, group or graph")
        }
        (
            "SET" | "DEL" | "UNLINK" | "HSET" | "HDEL" | "LPUSH" | "RPUSH" | "LPOP" | "RPOP"
            | "LREM" | "LTRIM" | "SADD" | "SREM" | "SPOP" | "ZADD" | "ZREM" | "EXPIRE" | "PEXPIRE"
            | "PERSIST" | "RENAME" | "RENAMENX" | "INCR" | "DECR" | "INCRBY" | "APPEND" | "MSET"
            | "SETEX" | "SETNX" | "GETSET" | "GETDEL" | "PUBLISH" | "XADD" | "XDEL" | "XTRIM"
            | "XGROUP" | "COPY" | "MOVE" | "SETRANGE" | "BITOP" | "PFADD" | "GEOADD" | "JSON.SET"
            | "JSON.DEL" | "RESTORE" | "BGSAVE" | "SAVE" | "BGREWRITEAOF" | "ZREMRANGEBYSCORE"
            | "ZREMRANGEBYRANK" | "HINCRBY" | "ZINCRBY",
            _,
        ) => ("db.write", "keys are written"),
        (
            "GET" | "MGET" | "HGET" | "HGETALL" | "HKEYS" | "KEYS" | "SCAN" | "TTL" | "PTTL"
            | "TYPE" | "EXISTS" | "LRANGE" | "LLEN" | "SMEMBERS" | "SCARD" | "ZRANGE" | "ZCARD"
            | "INFO" | "PING" | "DBSIZE" | "MEMORY" | "CONFIG" | "CLIENT" | "CLUSTER" | "SLOWLOG"
            | "MONITOR" | "OBJECT" | "XRANGE" | "XLEN" | "XINFO" | "ACL" | "SCRIPT" | "FUNCTION"
            | "MODULE" | "LATENCY" | "COMMAND" | "TIME" | "ECHO" | "STRLEN" | "SISMEMBER" | "HLEN"
            | "HEXISTS" | "RANDOMKEY" | "LASTSAVE" | "SUBSCRIBE" | "PSUBSCRIBE" | "JSON.GET"
            | "FT.SEARCH" | "SELECT" | "AUTH" | "DUMP" | "HSCAN" | "SSCAN" | "ZSCAN" | "ZSCORE"
            | "ZREVRANGE" | "GETRANGE" | "XREAD" | "ROLE" | "MULTI" | "EXEC" | "WATCH" | "DISCARD",
            _,
        ) => ("db.read", "keys are read"),
        _ => return None,
    })
}

/// A script in Lua.
fn script(line: &str) -> (&'static str, &'static str) {
    let lower = line.to_ascii_lowercase();
    if [
        "flushall",
        "flushdb",
        "shutdown",
        "config",
        "slaveof",
        "os.execute",
        "io.popen",
        "loadlib",
        "debug",
    ]
    .iter()
    .any(|word| lower.contains(word))
    {
        return ("db.drop", "this would run a script that empties or changes the server");
    }
    let deletes = lower.contains("'del'") || lower.contains("\"del\"") || lower.contains("unlink");
    if deletes && (lower.contains("'keys'") || lower.contains("\"keys\"") || lower.contains("scan"))
    {
        return ("db.delete.unbounded", "this would run a script that deletes keys by a pattern");
    }
    ("db.write", "a script is run")
}

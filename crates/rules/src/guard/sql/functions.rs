//! Functions and procedures that do more than compute, by their names.

/// What calling it does, as label and sentence; `None` for a name that only computes, or is not
/// known.
pub(super) fn effect(name: &str) -> Option<(&'static str, &'static str)> {
    FUNCTIONS
        .binary_search_by_key(&name, |(name, ..)| name)
        .ok()
        .and_then(|at| FUNCTIONS.get(at))
        .map(|(_, label, note)| (*label, *note))
        .or_else(|| prefixed(name))
}

fn prefixed(name: &str) -> Option<(&'static str, &'static str)> {
    PREFIXES
        .iter()
        .find(|(prefix, ..)| name.starts_with(prefix))
        .map(|(_, label, note)| (*label, *note))
}

/// Whether a procedure's name says that it only reads.
pub(super) fn reads(name: &str) -> bool {
    const VERBS: [&str; 22] = [
        "get",
        "list",
        "show",
        "find",
        "read",
        "select",
        "search",
        "count",
        "report",
        "fetch",
        "describe",
        "check",
        "view",
        "calc",
        "calculate",
        "is",
        "has",
        "sum",
        "validate",
        "lookup",
        "query",
        "compute",
    ];
    const SYSTEM: [&str; 22] = [
        "sp_help",
        "sp_helptext",
        "sp_helpdb",
        "sp_helpindex",
        "sp_helpconstraint",
        "sp_columns",
        "sp_tables",
        "sp_who",
        "sp_who2",
        "sp_lock",
        "sp_databases",
        "sp_spaceused",
        "sp_depends",
        "sp_pkeys",
        "sp_fkeys",
        "sp_stored_procedures",
        "sp_statistics",
        "sp_describe_first_result_set",
        "sp_monitor",
        "sp_server_info",
        "sp_helpuser",
        "sp_helprole",
    ];
    let bare = name
        .strip_prefix("usp_")
        .or_else(|| name.strip_prefix("sp_"))
        .or_else(|| name.strip_prefix("proc_"))
        .unwrap_or(name);
    let first = bare.split('_').next().unwrap_or(bare);
    SYSTEM.contains(&name) || VERBS.contains(&first)
}

const PROGRAM: &str = "sql.execute.program";
const FILE: &str = "sql.execute.file";
const SERVER: &str = "sql.server";
const PRIVILEGE: &str = "sql.privilege";
const DYNAMIC: &str = "sql.execute.dynamic";

const PREFIXES: &[(&str, &str, &str)] = &[
    ("sp_oa", PROGRAM, "this would run a program through OLE automation"),
    ("xp_reg", SERVER, "this would touch the registry of the server"),
    ("sp_addlinkedsrv", FILE, "this would connect another server"),
    ("dbms_scheduler", PROGRAM, "this would schedule a job"),
    ("utl_file", FILE, "this would touch files of the database server"),
    ("utl_http", FILE, "this would make the database server send a request"),
    ("utl_tcp", FILE, "this would make the database server open a connection"),
    ("utl_smtp", FILE, "this would make the database server send mail"),
    ("pg_replication_origin_", SERVER, "this would touch replication"),
];

/// Sorted by name.
const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("benchmark", "sql.delay", "this would burn the server's time"),
    ("current_setting_set", SERVER, "this would change a setting"),
    ("dblink", DYNAMIC, "this would run SQL on another server"),
    ("dblink_connect", FILE, "this would connect to another server"),
    ("dblink_exec", DYNAMIC, "this would run SQL on another server"),
    ("dblink_send_query", DYNAMIC, "this would run SQL on another server"),
    ("dbms_lock", "sql.delay", "this would make the session wait"),
    ("dbms_sql", DYNAMIC, "this would run SQL from a string"),
    ("dbms_xslprocessor", FILE, "this would write a file on the database server"),
    ("edit", FILE, "this would open a file in an editor"),
    ("execute_immediate", DYNAMIC, "this would run SQL from a string"),
    ("extractvalue_exec", PROGRAM, "this would run a program"),
    ("fts3_tokenizer", PROGRAM, "this would load code into the database"),
    ("httpuritype", FILE, "this would make the database server send a request"),
    ("lo_export", FILE, "this would write a file on the database server"),
    ("lo_from_bytea", "sql.write", "a large object is written"),
    ("lo_import", FILE, "this would read a file of the database server"),
    ("lo_put", "sql.write", "a large object is written"),
    ("lo_unlink", "sql.ddl.drop", "this would delete a large object"),
    ("load_extension", PROGRAM, "this would load a library into the database"),
    ("load_file", FILE, "this would read a file of the database server"),
    ("master_run_on_worker", PROGRAM, "this would run a command on other nodes"),
    ("nextval", "sql.write", "a sequence moves"),
    ("opendatasource", FILE, "this would reach another server"),
    ("openquery", DYNAMIC, "this would run SQL on another server"),
    ("openrowset", FILE, "this would reach a file or another server"),
    ("pg_cancel_backend", SERVER, "this would cancel somebody's query"),
    ("pg_create_restore_point", SERVER, "this would touch the server's log"),
    ("pg_drop_replication_slot", SERVER, "this would drop a replication slot"),
    ("pg_execute_server_program", PROGRAM, "this would run a program on the database server"),
    ("pg_file_rename", FILE, "this would rename a file of the database server"),
    ("pg_file_sync", FILE, "this would touch a file of the database server"),
    ("pg_file_unlink", FILE, "this would delete a file of the database server"),
    ("pg_file_write", FILE, "this would write a file on the database server"),
    ("pg_logfile_rotate", SERVER, "this would rotate the server's log"),
    ("pg_ls_dir", FILE, "this would list a folder of the database server"),
    ("pg_promote", SERVER, "this would promote a standby"),
    ("pg_read_binary_file", FILE, "this would read a file of the database server"),
    ("pg_read_file", FILE, "this would read a file of the database server"),
    ("pg_reload_conf", SERVER, "this would reload the server's settings"),
    ("pg_rotate_logfile", SERVER, "this would rotate the server's log"),
    ("pg_sleep", "sql.delay", "this would make the session wait"),
    ("pg_sleep_for", "sql.delay", "this would make the session wait"),
    ("pg_sleep_until", "sql.delay", "this would make the session wait"),
    ("pg_stat_file", FILE, "this would look at a file of the database server"),
    ("pg_stat_reset", SERVER, "this would reset statistics"),
    ("pg_stat_statements_reset", SERVER, "this would reset statistics"),
    ("pg_switch_wal", SERVER, "this would touch the server's log"),
    ("pg_terminate_backend", SERVER, "this would end somebody's session"),
    ("pg_wal_replay_pause", SERVER, "this would stop replication"),
    ("query_to_xml", DYNAMIC, "this would run SQL from a string"),
    ("readfile", FILE, "this would read a file of the database's machine"),
    ("set_config", SERVER, "this would change a setting"),
    ("setval", "sql.write", "a sequence is set"),
    ("sleep", "sql.delay", "this would make the session wait"),
    ("sp_addlogin", PRIVILEGE, "this would create an account"),
    ("sp_addrolemember", PRIVILEGE, "this would give a role"),
    ("sp_addsrvrolemember", PRIVILEGE, "this would give a server role"),
    ("sp_adduser", PRIVILEGE, "this would create an account"),
    ("sp_change_users_login", PRIVILEGE, "this would change an account"),
    ("sp_configure", SERVER, "this would change a setting of the server"),
    ("sp_delete_backuphistory", SERVER, "this would delete the record of backups"),
    ("sp_delete_job", SERVER, "this would delete a job"),
    ("sp_detach_db", "sql.ddl.drop", "this would detach a database"),
    ("sp_droplogin", PRIVILEGE, "this would drop an account"),
    ("sp_droprolemember", PRIVILEGE, "this would take a role"),
    ("sp_dropuser", PRIVILEGE, "this would drop an account"),
    ("sp_execute_external_script", PROGRAM, "this would run a program on the database server"),
    ("sp_executesql", DYNAMIC, "this would run SQL from a string"),
    ("sp_grantdbaccess", PRIVILEGE, "this would give rights"),
    ("sp_makewebtask", FILE, "this would write a file on the database server"),
    ("sp_msforeachdb", DYNAMIC, "this would run SQL from a string in every database"),
    ("sp_msforeachtable", DYNAMIC, "this would run SQL from a string on every table"),
    ("sp_password", PRIVILEGE, "this would change a password"),
    ("sp_removedbreplication", SERVER, "this would remove replication"),
    ("sp_rename", "sql.ddl.drop", "this would take an object's name away"),
    ("sp_renamedb", SERVER, "this would rename a database"),
    ("sp_start_job", PROGRAM, "this would start a job"),
    ("sys_eval", PROGRAM, "this would run a program on the database server"),
    ("sys_exec", PROGRAM, "this would run a program on the database server"),
    ("system_execute", PROGRAM, "this would run a program on the database server"),
    ("wait_for_executed_gtid_set", "sql.delay", "this would make the session wait"),
    ("writefile", FILE, "this would write a file on the database's machine"),
    ("xp_availablemedia", FILE, "this would list the disks of the database server"),
    ("xp_cmdshell", PROGRAM, "this would run a program on the database server"),
    ("xp_delete_file", FILE, "this would delete a file of the database server"),
    ("xp_delete_files", FILE, "this would delete files of the database server"),
    ("xp_dirtree", FILE, "this would list a folder of the database server"),
    ("xp_fileexist", FILE, "this would look at a file of the database server"),
    ("xp_servicecontrol", SERVER, "this would start or stop a service"),
    ("xp_subdirs", FILE, "this would list a folder of the database server"),
    ("xp_terminate_process", SERVER, "this would kill a process"),
];

#[cfg(test)]
mod tests {
    use super::{FUNCTIONS, effect};

    #[test]
    fn functions_stand_in_the_order_in_which_they_are_searched() {
        let mut sorted: Vec<_> = FUNCTIONS.iter().map(|(name, ..)| *name).collect();
        sorted.sort_unstable();
        sorted.dedup();
        for name in &sorted {
            assert!(effect(name).is_some(), "{name}");
        }
        assert_eq!(sorted.len(), FUNCTIONS.len());
    }
}

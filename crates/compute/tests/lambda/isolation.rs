//! What a function in a sandbox can and cannot do, seen from inside and outside.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::world::{World, event, json};
use fogbank_compute::Status;
use fogbank_compute::lambda::Ending;
use fogbank_compute::sandbox::{HelperProgram, Isolation, Level};
use serde_json::{Value, json};

/// A world with namespaces; none where the machine refuses them, which the doctor tests.
async fn sandboxed() -> Option<World> {
    let world = World::new();
    let (level, reason) = world.compute.isolation().await;
    if level == Level::Namespaces {
        return Some(world);
    }
    eprintln!("SKIPPED, this machine has no namespaces: {reason:?}");
    None
}

/// Evaluates Python expressions in one invocation; an exception becomes its class and error number.
async fn evaluate(world: &World, expressions: &[&str]) -> Vec<Value> {
    let spec = world.python(
        "import os, socket, subprocess, ctypes, threading, tempfile\n\
         libc = ctypes.CDLL(None, use_errno=True)\n\
         def call(name, *args):\n    \
             return [getattr(libc, name)(*args), ctypes.get_errno()]\n\
         def status(key):\n    \
             return [l.split()[1] for l in open('/proc/self/status') if l.startswith(key + ':')][0]\n\
         def one(text):\n    \
             try:\n        \
                 return eval(text)\n    \
             except OSError as error:\n        \
                 return [type(error).__name__, error.errno]\n\
         def handler(event, context):\n    \
             return [one(text) for text in event]\n",
    );
    let outcome = world.once(spec, &serde_json::to_string(expressions).unwrap()).await;
    assert_eq!(outcome.ending, Ending::Success, "{}", outcome.log_tail);
    json(&outcome).as_array().unwrap().clone()
}

const READ_ONLY: i64 = 30;
const NOT_PERMITTED: i64 = 1;
const NO_SPACE: i64 = 28;

#[tokio::test]
async fn a_sandbox_shows_the_function_and_nothing_of_the_host() {
    let Some(world) = sandboxed().await else { return };
    std::fs::write(world.dir.path().join("data/secret"), "s").unwrap();
    let data = world.dir.path().to_str().unwrap();
    let seen = evaluate(
        &world,
        &[
            "sorted(os.listdir('/'))",
            "os.listdir('/var/task')",
            "os.listdir('/opt')",
            "os.getcwd()",
            &format!("os.path.exists({data:?})"),
            "[os.path.exists(p) for p in ('/etc/shadow', '/sys/kernel', '/run', '/dev/shm')]",
            "[int(p) for p in os.listdir('/proc') if p.isdigit()]",
            "sorted(os.listdir('/dev'))",
            "[os.getpid(), os.getuid(), os.getgid(), os.getgroups(), socket.gethostname()]",
            "os.listdir('/tmp')",
            // An interpreter that lies in somebody's home is shown, and the folders on the way to it, but nothing
            // beside them.
            "(lambda way: [os.listdir('/' + '/'.join(way[:n])) == [way[n]] for n in range(1, len(way))] if way[0] in ('root', 'home') else [way[0]])(__import__('sys').base_prefix[1:].split('/'))",
        ],
    )
    .await;
    let way = seen[10].as_array().unwrap();
    let lies_in_a_home = way.iter().all(serde_json::Value::is_boolean);
    assert!(!lies_in_a_home || way.iter().all(|alone| *alone == json!(true)), "{way:?}");
    let top: Vec<&str> =
        seen[0].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let expected = ["bin", "dev", "etc", "lib", "opt", "proc", "tmp", "usr", "var"];
    for name in expected {
        assert!(top.contains(&name), "{top:?}");
    }
    assert!(lies_in_a_home || !top.contains(&"root") && !top.contains(&"home"), "{top:?}");
    assert!(!top.contains(&"sys"), "{top:?}");
    assert_eq!(seen[1], json!(["app.py"]));
    assert_eq!((&seen[2], &seen[3], &seen[4]), (&json!([]), &json!("/var/task"), &json!(false)));
    assert_eq!(seen[5], json!([false, false, false, false]));
    assert_eq!(seen[6], json!([1, 2]));
    assert_eq!(
        seen[7],
        json!(["fd", "full", "null", "random", "stderr", "stdin", "stdout", "urandom", "zero"])
    );
    assert_eq!(seen[8], json!([2, 993, 990, seen[8][3], "sandbox"]));
    assert_eq!(seen[9], json!([]));
}

#[tokio::test]
async fn a_function_writes_to_tmp_only() {
    let Some(world) = sandboxed().await else { return };
    let refused = json!(["OSError", READ_ONLY]);
    let seen = evaluate(
        &world,
        &[
            "open('/var/task/x', 'w')",
            "open('/opt/x', 'w')",
            "open('/usr/x', 'w')",
            "open('/x', 'w')",
            "open('/dev/x', 'w')",
            "open('/var/runtime/x', 'w')",
            "open('/proc/sys/kernel/hostname', 'w')",
            "open('/tmp/a', 'wb').write(b'x' * (1 << 20))",
            "open('/tmp/b', 'wb').write(b'x' * (70 << 20))",
            "open('/dev/null', 'wb').write(b'x')",
            "os.remove('/tmp/b') or tempfile.gettempdir()",
        ],
    )
    .await;
    for (index, seen) in seen[..6].iter().enumerate() {
        assert!(*seen == refused || *seen == json!(["PermissionError", 13]), "{index}: {seen}");
    }
    assert_eq!(seen[6][0], "PermissionError");
    assert_eq!(seen[7], json!(1 << 20));
    assert_eq!(seen[8], json!(["OSError", NO_SPACE]), "/tmp holds 64 MiB");
    assert_eq!((&seen[9], &seen[10]), (&json!(1), &json!("/tmp")));
    let seen = evaluate(&world, &["os.listdir('/tmp')"]).await;
    assert_eq!(seen[0], json!([]), "the next environment has a /tmp of its own");
}

#[tokio::test]
async fn a_function_has_no_privileges_and_a_filter() {
    let Some(world) = sandboxed().await else { return };
    let refused = json!([-1, NOT_PERMITTED]);
    let seen = evaluate(
        &world,
        &[
            "[status(key) for key in ('CapEff', 'CapPrm', 'CapBnd', 'NoNewPrivs', 'Seccomp')]",
            "call('mount', b'none', b'/tmp', b'tmpfs', 0, None)",
            "call('unshare', 0x10000000)",
            "call('ptrace', 0, 0, 0, 0)",
            "call('umount2', b'/var/task', 2)",
            "call('chroot', b'/tmp')",
            "call('setuid', 0)",
            "call('sethostname', b'x', 1)",
            "os.kill(1, 9)",
        ],
    )
    .await;
    let none = "0000000000000000";
    assert_eq!(seen[0], json!([none, none, none, "1", "2"]));
    for (index, seen) in seen[1..8].iter().enumerate() {
        // A user id that the namespace does not map is an invalid argument rather than a forbidden one.
        assert!(*seen == refused || (index == 5 && *seen == json!([-1, 22])), "{index}: {seen}");
    }
    // Process 1 takes no signals from inside; the function lives on to say so.
    assert!(seen[8] == Value::Null || seen[8][0] == "PermissionError", "{}", seen[8]);
}

#[tokio::test]
async fn ordinary_programs_work_in_a_sandbox() {
    let Some(world) = sandboxed().await else { return };
    let seen = evaluate(
        &world,
        &[
            "subprocess.run(['sh', '-c', 'echo $((6*7)) | cat'], capture_output=True, text=True).stdout",
            "[t.start() or t.join() for t in [threading.Thread(target=print, args=('of a thread',))]]",
            "socket.gethostbyname('localhost')",
            "__import__('pwd').getpwuid(os.getuid()).pw_name",
            "__import__('ssl').create_default_context().get_ca_certs() != None",
        ],
    )
    .await;
    assert_eq!(
        seen[..4],
        [json!("42\n"), json!([null]), json!("127.0.0.1"), json!("sbx_user1051")]
    );
    assert_eq!(seen[4], json!(true));
    assert_eq!(world.lines.of_function(), ["of a thread"]);
}

#[tokio::test]
async fn the_loopback_of_the_host_is_reachable() {
    let Some(world) = sandboxed().await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"cloud").unwrap();
    });
    let text = format!("socket.create_connection(('127.0.0.1', {port})).recv(9).decode()");
    assert_eq!(evaluate(&world, &[&text]).await[0], json!("cloud"));
    answering.join().unwrap();
}

#[tokio::test]
async fn abstract_sockets_of_the_host_are_out_of_reach() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let Some(world) = sandboxed().await else { return };
    let version = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = version.split(['.', '-']).filter_map(|part| part.parse::<u32>().ok());
    if (numbers.next(), numbers.next()) < (Some(6), Some(12)) {
        eprintln!("SKIPPED: Linux {version} cannot scope abstract sockets");
        return;
    }
    let name = format!("fogbank-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let text = format!("socket.socket(socket.AF_UNIX).connect('\\0{name}')");
    assert_eq!(evaluate(&world, &[&text]).await[0], json!(["PermissionError", 1]));
}

#[tokio::test]
async fn too_much_memory_ends_the_environment() {
    let world = World::new();
    let mut spec = world.python(
        "held = []\ndef handler(e, c):\n    print('eating')\n    while True: held.append(bytearray(b'x' * (1 << 20)))\n",
    );
    spec.memory_mb = 128;
    let outcome = world.once(spec, "1").await;
    assert_eq!(outcome.ending, Ending::OutOfMemory, "{}", outcome.log_tail);
    assert_eq!(
        json(&outcome),
        json!({
            "errorType": "Runtime.OutOfMemory",
            "errorMessage": "RequestId: id-1 Error: Runtime exited with error: signal: killed"
        })
    );
    assert!(outcome.log_tail.starts_with("START RequestId: id-1 Version: $LATEST\neating\n"));
    assert!(outcome.log_tail.contains("\tMax Memory Used: 128 MB\t"), "{}", outcome.log_tail);
    assert!(outcome.log_tail.contains("Error Type: Runtime.OutOfMemory"));
}

#[tokio::test]
async fn files_in_tmp_do_not_count_as_memory() {
    let Some(world) = sandboxed().await else { return };
    let mut spec = world.python(
        "def handler(e, c):\n    return open('/tmp/a', 'wb').write(b'x' * (60 << 20)) and open('/tmp/a', 'rb').read(1) == b'x'\n",
    );
    spec.memory_mb = 128;
    let outcome = world.once(spec, "1").await;
    assert_eq!(json(&outcome), json!(true));
}

/// Holds a connection to the test in the function and in a child of it; the kernel closes it when both are dead.
const HOLDING: &str = "
import os, socket, subprocess
held = socket.create_connection(('127.0.0.1', int(os.environ['PORT'])))
held.sendall(b'here')
child = subprocess.Popen(['sleep', '600'], pass_fds=[held.fileno()], start_new_session=True)
def handler(e, c): pass
";

#[tokio::test]
async fn functions_die_with_a_server_that_is_killed() {
    let Some(world) = sandboxed().await else { return };
    let code = world.dir.path().join("code");
    std::fs::create_dir(&code).unwrap();
    std::fs::write(code.join("app.py"), HOLDING).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_compute-testbed"))
        .arg("serve")
        .arg(world.dir.path().join("data-of-server"))
        .arg(&code)
        .arg(format!("PORT={}", listener.local_addr().unwrap().port()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut held, _) = listener.accept().unwrap();
    held.read_exact(&mut [0; 4]).unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    // `Child::kill` sends SIGKILL.
    server.kill().unwrap();
    server.wait().unwrap();
    // Returns when every holder is dead; if one survives, the test hangs until its runner ends it.
    assert_eq!(held.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[tokio::test]
async fn a_dropped_environment_takes_its_processes_along() {
    let Some(world) = sandboxed().await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut spec = world.python(HOLDING);
    spec.env.push(("PORT".to_owned(), listener.local_addr().unwrap().port().to_string()));
    let mut environment = world.start(spec).await;
    assert!(environment.ready().await);
    let (mut held, _) = listener.accept().unwrap();
    held.read_exact(&mut [0; 4]).unwrap();
    drop(environment);
    let closed = tokio::task::spawn_blocking(move || held.read(&mut [0; 1]).unwrap_or(0));
    assert_eq!(closed.await.unwrap(), 0);
}

#[tokio::test]
async fn without_namespaces_a_process_is_confined_in_place() {
    let world = World::with(|config| config.isolation = Isolation::Process);
    let (level, reason) = world.compute.isolation().await;
    if level != Level::Confined {
        eprintln!("SKIPPED: {reason:?}");
        return;
    }
    assert_eq!(reason.unwrap(), "namespaces are switched off by configuration");
    std::fs::write(world.dir.path().join("data/secret"), "s").unwrap();
    let secret = world.dir.path().join("data/secret");
    let seen = evaluate(
        &world,
        &[
            "[status(key) for key in ('NoNewPrivs', 'Seccomp')]",
            &format!("open({:?})", secret.to_str().unwrap()),
            "open(os.environ['LAMBDA_TASK_ROOT'] + '/x', 'w')",
            "open(tempfile.gettempdir() + '/a', 'w').write('x')",
            "subprocess.run(['sh', '-c', 'echo of a child'], capture_output=True, text=True).stdout",
            "call('mount', b'none', b'/tmp', b'tmpfs', 0, None)",
        ],
    )
    .await;
    assert_eq!(seen[0], json!(["1", "2"]));
    assert_eq!(
        (&seen[1], &seen[2]),
        (&json!(["PermissionError", 13]), &json!(["PermissionError", 13]))
    );
    assert_eq!((&seen[3], &seen[4]), (&json!(1), &json!("of a child\n")));
    assert_eq!(seen[5], json!([-1, NOT_PERMITTED]));
}

#[tokio::test]
async fn a_helper_that_is_none_is_said_and_refused_where_namespaces_are_required() {
    let not_a_helper = HelperProgram::Path("/bin/true".into());
    let world = World::with(|config| config.helper = not_a_helper.clone());
    let checks = world.compute.doctor().await;
    let names: Vec<&str> = checks.iter().map(|check| check.name).collect();
    assert_eq!(names, ["isolation", "memory", "python", "nodejs", "java"]);
    assert_eq!((checks[0].name, checks[0].status), ("isolation", Status::Degraded));
    assert!(
        checks[0].detail.contains("the helper program does not act as one"),
        "{}",
        checks[0].detail
    );
    let outcome = world.once(world.python("def handler(e, c): return e\n"), "1").await;
    assert_eq!(outcome.ending, Ending::Success);
    let world = World::with(|config| {
        config.helper = not_a_helper;
        config.isolation = Isolation::Namespaces;
    });
    let error = world.compute.start(world.python("")).await.err().unwrap();
    assert!(error.to_string().contains("less isolation than configured"), "{error}");
}

#[tokio::test]
async fn two_environments_share_nothing_but_code() {
    let Some(world) = sandboxed().await else { return };
    let spec = world.python("import os\ndef handler(e, c):\n    open('/tmp/mine', 'a').write('x')\n    return os.path.getsize('/tmp/mine')\n");
    let (mut one, mut two) = (world.start(spec.clone()).await, world.start(spec).await);
    let (first, second) = tokio::join!(one.invoke(event("a", "1")), two.invoke(event("b", "1")));
    assert_eq!((json(&first), json(&second)), (json!(1), json!(1)));
    assert_eq!(
        json(&one.invoke(event("c", "1")).await),
        json!(2),
        "a warm environment keeps its files"
    );
}

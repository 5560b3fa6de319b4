//! What containers reach by each way out, and what not.

use engine::{ContainerSpec, WayOut};

use crate::world::{Bench, MACHINE, NAME, SERVER, World, on_a_machine, outside, secret_at};

/// What all scripts can do: connect and read, as a word; and many of that at once.
const CONNECT: &str = "
import socket, sys, urllib.request
from concurrent.futures import ThreadPoolExecutor
def at_once(*tries):
    with ThreadPoolExecutor(64) as pool:
        return [future.result() for future in [pool.submit(*each) for each in tries]]
def reach(host, port, device=None):
    try:
        with socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET) as connection:
            connection.settimeout(0.7)
            if device:
                connection.setsockopt(socket.SOL_SOCKET, 25, device.encode())
            connection.connect((host, port))
            return 'reached ' + connection.recv(100).decode()
    except OSError as error:
        return 'no'
";

/// A TCP opening written by hand on the container's own device, as only root may: with it no kernel of the container's has
/// a say. It answers whether somebody agrees to the connection.
const CRAFTED: &str = "
import itertools, socket, struct
def checksum(data):
    data += b'\\0' * (len(data) % 2)
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
ports = itertools.count(40000)
def crafted(host, port):
    own = next(ports)
    frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    frames.bind(('eth0', 0))
    frames.settimeout(0.7)
    routers = [line.split() for line in open('/proc/net/arp').read().splitlines()[1:]]
    router = bytes.fromhex(routers[0][3].replace(':', ''))
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.connect(('203.0.113.7', 9))
    source, target = socket.inet_aton(probe.getsockname()[0]), socket.inet_aton(host)
    tcp = struct.pack('!HHIIBBHHH', own, port, 1, 0, 5 << 4, 2, 65535, 0, 0)
    check = checksum(source + target + struct.pack('!BBH', 0, 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack('!H', check) + tcp[18:]
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, source, target)
    ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
    frames.send(router + frames.getsockname()[4] + b'\\x08\\0' + ip + tcp)
    try:
        while True:
            frame = frames.recv(2000)
            if frame[12:14] == b'\\x08\\0' and frame[23] == 6 and frame[26:30] == target and frame[36:38] == struct.pack('!H', own):
                return 'agreed' if frame[47] == 0x12 else 'refused'
    except OSError:
        return 'no'
";

async fn reaches_the_world(_: World, way: WayOut) {
    let bench = Bench::with(way).await;
    assert_eq!(bench.engine.way_out(), Some(way.name()));
    let script = format!(
        "{CONNECT}
print(urllib.request.urlopen('http://{NAME}/', timeout=5).read().decode())
print(urllib.request.urlopen('http://web/', timeout=5).read().decode())
print(open('/etc/resolv.conf').read())"
    );
    let output = bench.run(&script).await;
    let hello = format!("hello {MACHINE}\nhello {MACHINE}\n");
    assert!(output.starts_with(&hello), "the world sees the machine: {output}");
    assert!(output.contains(&format!("nameserver {SERVER}\nsearch example\n")), "{output}");
}

/// Helpers pass questions on to a resolver that only the machine itself reaches; a packet filter cannot.
async fn resolves_by_the_machines_own_resolver(world: World, way: WayOut) {
    world.resolve_locally();
    let bench = Bench::with(way).await;
    let script = format!(
        "import urllib.request
print(open('/etc/resolv.conf').read(), flush=True)
print(urllib.request.urlopen('http://{NAME}/', timeout=5).read().decode())"
    );
    let output = bench.run(&script).await;
    if way == WayOut::Veth {
        assert!(output.starts_with("# No name server of this machine can be reached"), "{output}");
    } else {
        assert_eq!(output, format!("nameserver 10.0.2.3\n\nhello {MACHINE}\n"));
    }
}

#[test]
fn pasta_has_ipv6_where_the_machine_has() {
    on_a_machine(async |world| {
        let _world = world.with_ipv6();
        let (bench, port) = (Bench::with(WayOut::Pasta).await, secret_at("::"));
        let script = format!(
            "{CONNECT}
print(urllib.request.urlopen('http://[2001:db8:7::7]/', timeout=5).read().decode())
print(urllib.request.urlopen('http://{NAME}/', timeout=5).read().decode())
print(reach('2001:db8:1::2', {port}), reach('::1', {port}))"
        );
        let expected = format!("hello 2001:db8:1::2\nhello {MACHINE}\nno no\n");
        assert_eq!(bench.run(&script).await, expected);
    });
}

async fn reaches_nothing_of_the_machine(_: World, way: WayOut) {
    let bench = Bench::with(way).await;
    let (loopback, anywhere) = (secret_at("127.0.0.1"), secret_at("0.0.0.0"));
    let script = format!(
        "{CONNECT}{CRAFTED}
urllib.request.urlopen('http://{SERVER}/').read()
print('world', crafted('{SERVER}', 80))
gateway = [line.split()[2] for line in open('/proc/net/route') if line.split()[1] == '00000000'][0]
gateway = socket.inet_ntoa(bytes.fromhex(gateway)[::-1])
tries = [(crafted, '169.254.169.254', 80)]
for host in ('127.0.0.1', '{MACHINE}', gateway, gateway[:gateway.rindex('.')] + '.2'):
    for port in ({loopback}, {anywhere}):
        tries += [(reach, host, port), (reach, host, port, 'eth0'), (crafted, host, port)]
print(*at_once(*tries), sep='\\n')"
    );
    let output = bench.run(&script).await;
    let (first, rest) = output.split_once('\n').unwrap();
    assert!(first.ends_with("agreed"), "frames written by hand are well made: {output}");
    assert!(!rest.contains("secret") && !rest.contains("agreed"), "{output}");
    assert_eq!(rest.lines().count(), 25, "{output}");
}

async fn reaches_no_other_container(_: World, way: WayOut) {
    let bench = Bench::with(way).await;
    let serve = "
import socket
listener = socket.create_server(('0.0.0.0', 8080))
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
probe.connect(('203.0.113.7', 9))
print(probe.getsockname()[0], flush=True)
while True:
    connection = listener.accept()[0]
    connection.sendall(b'secret')
    connection.close()";
    bench.engine.start(&outside("other", serve)).await.unwrap();
    let address = bench.first_line("other").await;
    let script = format!(
        "{CONNECT}{CRAFTED}\nurllib.request.urlopen('http://{SERVER}/').read()\nprint(*at_once((reach, '{address}', 8080), (crafted, '{address}', 8080)))"
    );
    let output = bench.run(&script).await;
    bench.engine.remove("other").await.unwrap();
    assert!(address.starts_with("10."), "{address}");
    // Behind a helper all containers have the same address, so that this one has asked itself.
    assert!(["no no\n", "no refused\n"].contains(&output.as_str()), "{output}");
}

/// A further command in a container has its network too; one of loopback only has none.
async fn only_containers_that_may_have_it(_: World, way: WayOut) {
    let bench = Bench::with(way).await;
    let mut alone = ContainerSpec::new("alone", ["/usr/bin/python3", "-c", "open('/etc/resolv.conf').read(); input()"]);
    alone.argv[2] = format!("{CONNECT}\nimport os\nprint(os.listdir('/sys/class/net'), reach('{SERVER}', 80))");
    bench.engine.start(&alone).await.unwrap();
    bench.engine.wait("alone").await.unwrap();
    assert_eq!(bench.output("alone").await, "['lo'] no\n");
    bench.engine.start(&outside("with", "import time; time.sleep(60)")).await.unwrap();
    let fetch = format!("import urllib.request; print(urllib.request.urlopen('http://{SERVER}/').read().decode())");
    let further =
        bench.engine.exec("with", &engine::Exec::new(["/usr/bin/python3", "-c", &fetch]), 4096).await.unwrap();
    bench.engine.remove("with").await.unwrap();
    assert_eq!(String::from_utf8_lossy(&further.stdout), format!("hello {MACHINE}\n"));
}

macro_rules! each_way {
    ($($test:ident),+) => {
        each_way!(@ pasta Pasta $($test),+);
        each_way!(@ slirp4netns Slirp4netns $($test),+);
        each_way!(@ veth Veth $($test),+);
    };
    (@ $module:ident $way:ident $($test:ident),+) => {
        mod $module {
            $(#[test] fn $test() { super::on_a_machine(|world| super::$test(world, engine::WayOut::$way)) })+
        }
    };
}

each_way!(
    reaches_the_world,
    resolves_by_the_machines_own_resolver,
    reaches_nothing_of_the_machine,
    reaches_no_other_container,
    only_containers_that_may_have_it
);

mod veth_by_nft {
    use super::{WayOut, on_a_machine};

    #[test]
    fn reaches_the_world() {
        on_a_machine(|world| super::reaches_the_world(world.without_iptables(), WayOut::Veth));
    }

    #[test]
    fn reaches_nothing_of_the_machine() {
        on_a_machine(|world| super::reaches_nothing_of_the_machine(world.without_iptables(), WayOut::Veth));
    }

    #[test]
    fn reaches_no_other_container() {
        on_a_machine(|world| super::reaches_no_other_container(world.without_iptables(), WayOut::Veth));
    }
}

# The world: HTTP on port 80, and a name server that knows one name.
import http.server, os, socket, struct, subprocess, sys, threading

print(os.getpid(), flush=True)
sys.stdin.readline()
for command in (
    "link set lo up",
    "link set eth0 up",
    "addr add 198.51.100.1/24 dev eth0",
    "addr add 203.0.113.7/32 dev lo",
    "addr add 169.254.169.254/32 dev lo",
    "addr add 2001:db8:1::1/64 dev eth0 nodad",
    "addr add 2001:db8:7::7/128 dev lo nodad",
):
    subprocess.run(["ip", *command.split()], check=True)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"hello {self.client_address[0]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def answer(question):
    name = question[12:question.index(b"\0", 12) + 1]
    end = 12 + len(name) + 4
    is_a = question[end - 4:end - 2] == b"\0\1"
    known = name == b"\3web\7example\0"
    head = question[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, int(known and is_a), 0, 0)
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("203.0.113.7") if known and is_a else b""
    return head + question[12:end] + record


def names():
    while True:
        question, asker = resolver.recvfrom(2048)
        resolver.sendto(answer(question), asker)


resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
resolver.bind(("203.0.113.7", 53))
threading.Thread(target=names, daemon=True).start()
class SixServer(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


six = SixServer(("2001:db8:7::7", 80), Handler)
threading.Thread(target=six.serve_forever, daemon=True).start()
web = http.server.ThreadingHTTPServer(("0.0.0.0", 80), Handler)
threading.Thread(target=web.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()

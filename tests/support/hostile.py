"""Addresses as somebody would write them who wants the router to go where it must not. Deterministic, no network.

`hostile_urls` spells special addresses in every way that some parser or resolver understands; `NAMES` is what a
hostile resolver answers, one answer after the other.
"""

import ipaddress
from collections.abc import Iterator

PUBLIC = "93.184.216.34"
"""A public address, which no test connects to."""
METADATA = "169.254.169.254"
SPECIAL = (
    *("127.0.0.1", "127.0.0.2", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.0.9"),
    *("172.16.0.1", "172.31.255.254", "192.168.1.1", "100.64.0.1", "100.127.255.254"),
    *(METADATA, "169.254.170.2", "169.254.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("224.0.0.1", "239.255.255.250", "255.255.255.255", "198.18.0.1", "192.0.2.1", "240.0.0.1"),
)
SPECIAL_IPV6 = (
    *("::1", "::", "0:0:0:0:0:0:0:1", "fe80::1", "fe80::1%25eth0", "fe80::1%eth0", "fe80::1%1"),
    *("fd00:ec2::254", "fd20:ce::254", "fd12:3456::1", "fc00::1", "ff02::1", "ff05::2", "fec0::1"),
    *("2001:db8::1", "3fff::1", "5f00::1", "100::1", "::1%25lo", "[::1]", "::1]", "::g", "1::2::3"),
)
GOOD = "gpu.univ-exemple.fr"
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
CIRCLED = str.maketrans("123456789", "①②③④⑤⑥⑦⑧⑨")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")

NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "localhost": (("127.0.0.1", "::1"),),
    "localhost.localdomain": (("127.0.0.1",),),
    "ip6-localhost": (("::1",),),
    "127.0.0.1.nip.test": (("127.0.0.1",),),
    "metadata.google.internal": ((METADATA,),),
    "instance-data": ((METADATA,),),
    "kubernetes.default.svc": (("10.96.0.1",),),
    "docker.test": (("172.17.0.1",),),
    "mapped.test": (("::ffff:127.0.0.1",),),
    "mapped-hex.test": (("::ffff:7f00:1",),),
    "nat64.test": (("64:ff9b::7f00:1",),),
    "six-to-four.test": (("2002:7f00:1::",),),
    "teredo.test": (("2001:0:4136:e378:8000:63bf:80ff:fffe",),),
    "scoped.test": (("fe80::1%1",),),
    "mixed-first.test": (("127.0.0.1", PUBLIC),),
    "mixed-last.test": ((PUBLIC, "127.0.0.1"),),
    "mixed-metadata.test": ((PUBLIC, "::ffff:169.254.169.254"),),
    **{
        f"rebinding-{number}.test": ((PUBLIC,), (address,))
        for number, address in enumerate(("127.0.0.1", "::1", METADATA, "10.0.0.1", "0.0.0.0"))
    },
    **{
        f"flapping-{number}.test": ((address,), (PUBLIC,), (address,), (PUBLIC,))
        for number, address in enumerate(("127.0.0.1", METADATA, "::ffff:10.0.0.1"))
    },
}
SCHEMES = (
    *("file", "ftp", "ftps", "gopher", "dict", "ldap", "ldaps", "tftp", "sftp", "ssh", "smtp"),
    *("ws", "wss", "unix", "http+unix", "httpu", "jar:http", "data", "javascript", "netdoc", "php"),
    *("view-source:http", "about", "blob:http", "tcp", "redis", "mongodb", "postgres", "", "//"),
    *("hTTps ", " http", "http\t", "ht\ntp", "http\x00", "http:", "http:/", "https:\\", "ｈttp"),
)


def hostile_urls(ports: tuple[int, ...]) -> list[str]:
    """Return the addresses, each once: special addresses in every spelling, at these ports and at the usual ones."""
    found = (
        *_spelled(ports),
        *_wrapped(ports),
        *_named(ports),
        *_odd_schemes(ports),
        *_odd_ports(),
        *_odd_shapes(),
    )
    return list(dict.fromkeys(found))


def spellings(address: str) -> Iterator[str]:
    """Yield what some parser takes for this IPv4 address; what goes between brackets stands in them."""
    number = int(ipaddress.IPv4Address(address))
    parts = [int(part) for part in address.split(".")]
    a, b, c, d = parts
    yield address
    yield from (str(number), hex(number), f"0X{number:X}", oct(number).replace("o", ""))
    yield ".".join(hex(part) for part in parts)
    yield ".".join(f"0{part:o}" for part in parts)
    yield ".".join(f"{part:03d}" for part in parts)
    yield from (f"{a}.{number & 0xFFFFFF}", f"{a}.{b}.{number & 0xFFFF}", f"{a}.{b}.{c}.{d:#x}")
    yield from (f"{a:#x}.{number & 0xFFFFFF}", f"0{a:o}.{b}.{c}.{d}", f"{a}.{b}.{c}.{d + 256}")
    yield from (f"{address}.", f"{address}..", f".{address}", address.replace(".", "..", 1))
    yield from (address.replace(".", dot) for dot in ("。", "．", "｡", "%2e", "%2E", "\u2024"))
    yield from (address.translate(digits) for digits in (FULL_WIDTH, CIRCLED, ARABIC))
    yield "".join(f"%{ord(sign):02x}" for sign in address)
    yield f"[{address}]"
    yield from (f"{address}%00", f"{address}%25eth0", f"{address}%0d%0a", f"{address}\x00")
    yield from (f"[{form}]" for form in _embedded(number))


def _embedded(number: int) -> Iterator[str]:
    """Yield IPv6 addresses that carry an IPv4 address."""
    high, low = number >> 16, number & 0xFFFF
    dotted = ipaddress.IPv4Address(number)
    hidden = number ^ 0xFFFFFFFF
    yield from (f"::ffff:{dotted}", f"::ffff:{high:x}:{low:x}", f"0:0:0:0:0:FFFF:{dotted}")
    yield from (f"::{dotted}", f"::ffff:0:{dotted}", f"64:ff9b::{dotted}", f"64:ff9b:1::{dotted}")
    yield from (f"2002:{high:x}:{low:x}::", f"2002:{high:x}:{low:x}::1")
    yield f"2001:0:4136:e378:8000:63bf:{hidden >> 16:x}:{hidden & 0xFFFF:x}"
    yield from (f"fe80::5efe:{dotted}", f"fe80::200:5efe:{dotted}", f"::ffff:{dotted}%25eth0")
    yield f"fe80::{high:x}:{low:x}%25lo"


def _spelled(ports: tuple[int, ...]) -> Iterator[str]:
    for address in SPECIAL:
        for form in spellings(address):
            yield from (f"http://{form}", f"https://{form}")
            yield from (f"http://{form}:{port}" for port in ports)
    for address in SPECIAL_IPV6:
        yield from (f"http://[{address}]", f"https://[{address}]", f"http://{address}")
        yield from (f"{scheme}://[{address}]:{p}" for p in ports for scheme in ("http", "https"))


def _wrapped(ports: tuple[int, ...]) -> Iterator[str]:
    """Hide where it goes behind what looks like another host."""
    for port in ports:
        for host in ("127.0.0.1", "127.0.0.2", "[::1]", "localhost", METADATA):
            place = f"{host}:{port}"
            for scheme in ("http", "https"):
                start = f"{scheme}://"
                yield from (f"{start}user:secret@{place}", f"{start}{GOOD}@{place}")
                yield from (f"{start}{GOOD}:443@{place}", f"{start}@{place}", f"{start}:@{place}")
                yield from (f"{start}{place}@{GOOD}", f"{start}{GOOD}%40{place}")
                yield from (f"{start}{GOOD}\\@{place}", f"{start}{GOOD}#@{place}")
                yield from (f"{start}{GOOD}?@{place}", f"{start}{GOOD};@{place}")
                yield from (f"{start}{place}#{GOOD}", f"{start}{place}?x={GOOD}")
                yield from (f"{start}{place}\\{GOOD}", f"{start}{place};{GOOD}")
                yield from (f"{start}/{place}", f"{start}//{place}", f"{start}\\\\{place}")
                yield from (f"{start}{sign}{place}" for sign in "\t\n\r \x0b\x00\u200b\u00ad\ufeff")
                yield from (f"{start}{place}{sign}" for sign in "\t\n\r \x0b\x00\u200b\u00ad\ufeff")
                yield from (f"{start}{GOOD}{sign}{place}" for sign in ("\r\n", "%0d%0aHost: ", ","))
                yield from (f" {start}{place}", f"\t{start}{place}", f"{start}{place}/../x")
                yield from (f"{start}{place}/%2e%2e/x", f"{start}{place}/v1\r\nX-Evil: 1")


def _named(ports: tuple[int, ...]) -> Iterator[str]:
    for name in NAMES:
        yield from (f"https://{name}", f"https://{name}:8000/llm", f"http://{name}")
        yield from (f"https://{name.upper()}:{port}" for port in ports)
        yield from (f"http://{name}:{port}" for port in ports)
        yield f"https://{name}."
    for name in (
        "ⅼocalhost",
        "localhоst",
        "ｌｏｃａｌｈｏｓｔ",
        "loca\u00adlhost",
        "xn--localhst-eag",
    ):
        yield from (f"http://{name}:{port}" for port in ports)


def _odd_schemes(ports: tuple[int, ...]) -> Iterator[str]:
    for scheme in SCHEMES:
        yield from (f"{scheme}://127.0.0.1:{port}/" for port in ports)
        yield from (f"{scheme}:127.0.0.1", f"{scheme}:///etc/passwd")


def _odd_ports() -> Iterator[str]:
    ports = (
        *(
            "0",
            "65536",
            "99999",
            "-1",
            "+80",
            "",
            "00080",
            "0x50",
            "8０",
            "٨٠",
            "80 ",
            "80a",
            "1e3",
        ),
        *("4294967376", "80:80", "80@127.0.0.1", "٤٤٣"),
        *(str(port) for port in (7, 21, 22, 23, 25, 53, 110, 143, 389, 445, 465, 587, 636, 993)),
        *(str(port) for port in (1433, 1521, 2049, 2375, 3306, 3389, 5432, 5672, 6379, 6443, 9200)),
        *(str(port) for port in (10250, 11211, 27017, 50000)),
    )
    for port in ports:
        yield from (f"https://{PUBLIC}:{port}", f"http://{PUBLIC}:{port}", f"https://{GOOD}:{port}")


def _odd_shapes() -> Iterator[str]:
    yield from (
        "",
        " ",
        "/",
        "//",
        "https",
        "https:",
        "https:/",
        "https://",
        "https:///",
        "127.0.0.1",
    )
    yield from ("https://[", "https://[]", "https://]", "https://.", "https://..", "https://-")
    yield from (f"https://{'a' * size}.test" for size in (64, 254, 5_000, 100_000))
    yield from (f"https://{'a.' * size}test" for size in (126, 127, 5_000))
    yield from (f"https://{GOOD}/{'a/' * size}" for size in (500, 50_000))
    yield from (f"https://{GOOD}:{'9' * size}" for size in (6, 400, 5_000))
    yield from (f"https://{'%25' * size}127.0.0.1" for size in (1, 2, 50))

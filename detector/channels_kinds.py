"""What each kind of channel asks for in channels.toml, and that no secret stands there."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from posixpath import normpath
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from detector.people import ADDRESS
from detector.tomlfile import Table, shown

SIGNS = ("none", "md5", "sha1", "sha256", "hmac_sha1", "hmac_sha256")
SPELLINGS = ("hex", "HEX", "base64")
OPERATORS = ("==", "in", "starts")
RECEIPTS = ("delivered", "failed", "read")
METHODS, FORMATS = ("POST", "GET"), ("form", "json")
MAIL_TLS = ("starttls", "tls", "none")
TIMEOUT_S, PORTS = (1, 20), (1, 65_535)
TEMPLATE_CHARS_MAX = 2_000
TEMPLATE_DEPTH_MAX = 6
SECRET_PLACES = ("/run/secrets/", "/run/credentials/", "/etc/oriole/secrets/")
ENV_PATTERN = "[A-Z][A-Z0-9_]{0,63}"
LITERALS = (  # keys that people would write, each with what is written instead of it
    ("secret", "secret"), ("password", "password"), ("token", "token"), ("key", "secret"),
    ("word", "word"), ("secrets", "secrets"), ("urls", "urls"),
)  # fmt: skip
_ENV = re.compile(ENV_PATTERN, re.ASCII)
_SECRETIVE = re.compile(
    r"secret|passw|pwd|token|authori[sz]ation|api_?-?key|access_?-?key|^key$", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
IN_JOURNAL = "is a secret, and the file is kept in the journal"


def no_literals(table: Table) -> None:
    """Refuse secrets; none is repeated in a message."""
    for key, instead in LITERALS:
        if key in table.keys:
            table.take(key)
            name = '["ORIOLE_…"]' if instead.endswith("s") else '"ORIOLE_…"'
            remedy = f"write {instead}_env = {name}, the variable that holds it"
            table.fault(key, IN_JOURNAL, remedy)


def held(table: Table, key: str, needed: bool = True) -> dict[str, str]:
    """`<key>_env`, a variable of the environment, or `<key>_file`, a file: where a secret is."""
    env, file = table.text(f"{key}_env", ""), table.text(f"{key}_file", "")
    if env and not _ENV.fullmatch(env):
        remedy = f'write {key}_env = "ORIOLE_SMS"'
        table.fault(f"{key}_env", f"{shown(env)} is no name of a variable", remedy)
    if file and not (file.startswith(SECRET_PLACES) and normpath(file) == file):
        remedy = f"keep it under {' or '.join(SECRET_PLACES)}: other files are none of a channel's"
        table.fault(f"{key}_file", f"{shown(file)} is not where secrets are kept", remedy)
    if env and file:
        table.fault(f"{key}_file", f"stands beside {key}_env", "keep one of the two")
    if needed and not env and not file:
        table.fault(f"{key}_env", "is missing", f'add {key}_env = "ORIOLE_…"')
    return {f"{key}_env": env} if env else {f"{key}_file": file} if file else {}


def held_many(table: Table, key: str) -> dict[str, Any]:
    """`<key>_env`, a list of variables that hold a secret each."""
    names = table.texts(f"{key}_env", ())
    if not names or not all(_ENV.fullmatch(one) for one in names):
        remedy = f'write {key}_env = ["ORIOLE_HOOK"]'
        table.fault(f"{key}_env", "names no variables with secrets", remedy)
    return {f"{key}_env": names}


def web_address(table: Table, key: str, needed: bool = True) -> str:
    """An http or https address without a secret in it."""
    url = table.text(key, None if needed else "", TEMPLATE_CHARS_MAX)
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        secretive = [n for n, v in parse_qsl(parts.query) if _SECRETIVE.search(n) and "{" not in v]
    except ValueError:
        sound, secretive = False, []
    if not sound:
        told = "it" if "@" in url else shown(url)
        table.fault(key, f"{told} is no web address", 'write "https://…"')
    elif parts.username or parts.password:
        table.fault(key, f"holds a password, which {IN_JOURNAL}", "name it by …_env")
    elif secretive:
        remedy = 'write {secret} there, and secret_env = "ORIOLE_…"'
        table.fault(key, f"{secretive[0]} {IN_JOURNAL}", remedy)
    return url


def reached(table: Table) -> dict[str, Any]:
    """What all that speak HTTP may say of how their gateway is reached."""
    networks = table.texts("allow_private", ())
    for n, one in enumerate(networks):
        try:
            ipaddress.ip_network(one)
        except ValueError:
            table.fault(("allow_private", n), f"{shown(one)} is no range", 'write "10.1.0.0/16"')
    told: dict[str, Any] = {"allow_private": networks}
    timeout, authority = table.whole("timeout_s", *TIMEOUT_S), table.text("ca_file", "")
    if timeout is not None:
        told["timeout_s"] = timeout
    return told | ({"ca_file": authority} if authority else {})


def log(table: Table) -> dict[str, Any]:
    """The dry run asks for nothing."""
    return {}


def sms_http(table: Table) -> dict[str, Any]:
    """An HTTP gateway of text messages."""
    told = {"url": web_address(table, "url")} | reached(table) | held(table, "secret", False)
    told["method"] = table.choice("method", METHODS, "POST")
    told["format"] = table.choice("format", FORMATS, "form")
    told["signature"], told["account"] = table.text("signature", ""), table.text("account", "")
    flat = told["format"] == "form" or told["method"] == "GET"
    told["body"] = _templates(table, "body", 1 if flat else TEMPLATE_DEPTH_MAX)
    told["headers"] = _templates(table, "headers", 1)
    if "{to}" not in str(told["body"]):
        table.fault("body", "names no {to}", 'write mobile = "{to}" or as the gateway calls it')
    told["sign"] = _sign(table.table("sign"), {"over": "{text}"})
    success = table.table("success")
    told["success"] = {
        "field": success.text("field", ""), "op": success.choice("op", OPERATORS, "=="),
        "values": success.texts("values", ()),
    }  # fmt: skip
    if not told["success"]["values"]:
        success.fault("values", "is empty", 'write what the gateway says of success: ["0"]')
    success.close()
    told["id_field"], told["code_field"] = table.text("id_field", ""), table.text("code_field", "")
    told["retry_codes"] = table.texts("retry_codes")
    if told["sign"]["kind"].startswith("hmac") and not _has(told, "secret"):
        table.fault("secret_env", "is missing, and sign needs it", 'add secret_env = "ORIOLE_…"')
    if table.take("receipts") is not None:
        told["receipts"] = _receipts(table.table("receipts"), _has(told, "secret"))
    return told


def _has(told: dict[str, Any], key: str) -> bool:
    return f"{key}_env" in told or f"{key}_file" in told


def _sign(table: Table, over: dict[str, str]) -> dict[str, str]:
    told = {
        "kind": table.choice("kind", SIGNS, "none"),
        "as": table.choice("as", SPELLINGS, "hex"),
        **{key: table.text(key, usual) for key, usual in over.items()},
    }
    table.close()
    return told


def _receipts(table: Table, secret: bool) -> dict[str, Any]:
    """How the gateway's callbacks are read; without a word anybody could send one."""
    statuses = table.table("statuses")
    told: dict[str, Any] = {
        "header": table.text("header", ""), "query": table.text("query", ""),
        "sign": _sign(table.table("sign"), {}), "list_field": table.text("list_field", ""),
        "status_field": table.text("status_field"), "id_field": table.text("id_field", ""),
        "message_field": table.text("message_field", ""),
        "statuses": {key: statuses.choice(key, RECEIPTS) for key in statuses.keys},
    }  # fmt: skip
    told |= held(table, "word", False)
    if bool(told["header"]) == bool(told["query"]):
        table.fault("header", "is missing, or stands beside query", 'write header = "X-Word"')
    if not told["id_field"] and not told["message_field"]:
        table.fault("message_field", "is missing", "name what says which message it is about")
    if not told["statuses"]:
        table.fault("statuses", "is empty", 'write { DELIVRD = "delivered" }')
    if not secret and not _has(told, "word"):
        remedy = 'add word_env = "ORIOLE_…": it proves that a callback is the gateway\'s'
        table.fault("word_env", "is missing", remedy)
    table.close()
    return told


def _templates(table: Table, key: str, depth: int) -> dict[str, Any]:
    """A table whose keys are the gateway's: texts and whole numbers, under JSON tables and lists
    too. A key that sounds like a secret must take it from a {field}."""
    told = table.take(key)
    if told is not None and not isinstance(told, dict):
        table.fault(key, f"{shown(told)} is not a table", f"write [channels.{key}]")
    told = told if isinstance(told, dict) else {}
    pending: list[tuple[tuple[str | int, ...], Any, int]] = [((key,), told, 0)]
    while pending:
        place, value, level = pending.pop()
        if isinstance(value, dict | list) and level < depth:
            rows = value.items() if isinstance(value, dict) else enumerate(value)
            pending += [((*place, name), one, level + 1) for name, one in rows]
        elif isinstance(value, str) and len(value) <= TEMPLATE_CHARS_MAX:
            if _CONTROL.search(value):
                table.fault(place, "has control characters", "write the text alone")
            elif _SECRETIVE.search(str(place[-1])) and value and "{" not in value:
                remedy = 'write "{secret}", and secret_env = "ORIOLE_…"'
                table.fault(place, IN_JOURNAL, remedy)
        elif not isinstance(value, int):
            reason = "is neither a text nor a whole number, or nested too deep"
            table.fault(place, reason, "write it in quotes")
    return told


def smpp(table: Table) -> dict[str, Any]:
    """An SMPP 3.4 gateway."""
    told = {
        "host": table.text("host"), "port": table.whole("port", *PORTS) or 2_775,
        "system_id": table.text("system_id"), "from": table.text("from", ""),
        "signature": table.text("signature", ""), "tls": table.flag("tls", False),
    }  # fmt: skip
    return told | held(table, "password")


def webhook(table: Table) -> dict[str, Any]:
    """A subscriber of CloudEvents."""
    told = {"url": web_address(table, "url"), "source": table.text("source", "/oriole")}
    return told | reached(table) | held_many(table, "secrets")


def robot(table: Table) -> dict[str, Any]:
    """A robot of a chat group."""
    base = web_address(table, "base_url", False)
    told = reached(table) | held(table, "token") | held(table, "secret", False)
    return told | ({"base_url": base} if base else {})


def mail(table: Table) -> dict[str, Any]:
    """A mail relay."""
    told: dict[str, Any] = {
        "host": table.text("host"), "tls": table.choice("tls", MAIL_TLS, "starttls"),
        "from": table.text("from"), "user": table.text("user", ""),
        "ca_file": table.text("ca_file", ""), "timeout_s": table.whole("timeout_s", *TIMEOUT_S),
    }  # fmt: skip
    told["port"] = table.whole("port", *PORTS) or {"tls": 465, "starttls": 587}.get(told["tls"], 25)
    told["timeout_s"] = told["timeout_s"] or 10
    if told["from"] and not ADDRESS.fullmatch(told["from"]):
        reason = f"{shown(told['from'])} is no address"
        table.fault("from", reason, 'write "jiancha@example.org"')
    if told["user"] and told["tls"] == "none":
        table.fault("tls", "would send the password in the clear", 'write "starttls" or "tls"')
    return told | held(table, "password", bool(told["user"]))


def apprise(table: Table) -> dict[str, Any]:
    """Addresses of the apprise library; each holds a secret, so each is in a variable."""
    return held_many(table, "urls")


OF_KIND: dict[str, Callable[[Table], dict[str, Any]]] = {
    "log": log, "sms_http": sms_http, "smpp": smpp, "webhook": webhook, "dingtalk": robot,
    "wecom": robot, "feishu": robot, "mail": mail, "apprise": apprise,
}  # fmt: skip

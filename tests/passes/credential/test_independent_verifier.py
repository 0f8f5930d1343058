"""An independent verifier reads our container: the JavaScript package of another project, in a process of its own.

It is fetched for the test by npm's ordinary configuration into a temporary folder, and is no part of this project.
Each file that is fetched must have the hash of ``independent_verifier/package-lock.json``, which names no registry.
Where there is no Node.js the tests are left out, in CI too, and the end of the run says so; where there is one, in CI a
package that can't be fetched is a failure.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hutong.node import Node
from hutong.passes.credential import hcert, level_pass
from tests.conftest import not_checked
from tests.passes.credential.test_level_pass import KEY, KEY_ID, NOW, SIGNER, make

SECONDS_TO_INSTALL = 180
# The package's own WebCrypto of 2020 does not load on a current Node.js, which has one: that takes its place.
PACKAGE = Path(__file__).parent / "independent_verifier"
WEBCRYPTO = """
const { subtle } = require("crypto").webcrypto;
const bound = ["importKey", "verify"].map((name) => [name, (...given) => subtle[name](...given)]);
module.exports = { subtle: Object.fromEntries(bound) };
"""
# A key that is known beforehand, so that the package asks nobody for it.
VERIFY = """
const sdk = require("@pathcheck/dcc-sdk");
const told = process.stdout;
console.log = console.warn = () => {};
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
sdk[given.kind]({ [given.kid]: given.key });
const plain = (value) =>
  value instanceof Map ? [...value].map(([key, item]) => [plain(key), plain(item)])
  : value instanceof Uint8Array ? { hex: Buffer.from(value).toString("hex") }
  : Array.isArray(value) ? value.map(plain)
  : value;
sdk.unpackAndVerify(given.text).then(({ status, contents }) => {
  told.write(JSON.stringify({ status, contents: plain(contents) }));
});
"""
Verifier = Callable[..., Mapping[str, Any]]


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    """Gives the package a pass and a key; its answer."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        not_checked(
            "there is no Node.js with npm: an independent verifier has NOT read our passes", must_be_in_ci=False
        )
    folder = tmp_path_factory.mktemp("independent-verifier")
    own = folder / "webcrypto"
    own.mkdir()
    for file in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGE / file, folder)
    (own / "package.json").write_text(json.dumps({"name": "isomorphic-webcrypto", "version": "2.3.8"}))
    (own / "index.js").write_text(WEBCRYPTO)
    (folder / "verify.cjs").write_text(VERIFY)
    _install(npm, folder)

    def verify(text: str, **key: str) -> Mapping[str, Any]:
        done = subprocess.run(
            [node, "verify.cjs"],
            cwd=folder,
            input=json.dumps({"text": text, **key}),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        answer: Mapping[str, Any] = json.loads(done.stdout)
        return answer

    return verify


def _install(npm: str, folder: Path) -> None:
    quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1")
    try:
        subprocess.run([npm, "ci", *quiet], cwd=folder, capture_output=True, timeout=SECONDS_TO_INSTALL, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        not_checked("npm could not fetch the package: an independent verifier has NOT read our passes")


def as_key() -> dict[str, str]:
    spki = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "kind": "addCachedKeys",
        "kid": base64.b64encode(KEY_ID).decode(),
        "key": base64.b64encode(spki).decode(),
    }


def test_it_reads_each_layer_of_our_container(verifier: Verifier) -> None:
    claims = make()
    answer = verifier(SIGNER.issue(claims), **as_key())
    assert answer["status"] == "verified"
    contents = dict(answer["contents"])
    assert contents[hcert.ISSUER] == "tw"
    assert contents[hcert.ISSUED] == int(NOW.timestamp())
    assert contents[hcert.EXPIRES] == int(claims.expires_at.timestamp())
    ((claim, own),) = contents[hcert.HCERT]
    assert claim == level_pass.CLAIM
    assert own == [
        *("medium", "dengue-tw", [1, 12, 3]),
        *({"hex": claims.pass_id.hex()}, claims.status_index, {"hex": claims.commitment.hex()}),
    ]


def test_it_takes_a_nodes_certificate(verifier: Verifier, node: Node) -> None:
    key_id = bytes.fromhex(node.keys.pass_key_id)
    text = level_pass.issue(make(issuer=node.id), node.keys.passes, key_id)
    certificate = node.keys.public["passes"][0]
    answer = verifier(text, kind="addCachedCerts", kid=base64.b64encode(key_id).decode(), key=certificate)
    assert answer["status"] == "verified"


def test_it_refuses_what_was_altered_or_signed_by_another_key(verifier: Verifier) -> None:
    signed = SIGNER.sign(make())
    altered = hcert.pack(signed.replace(b"medium", b"medlow"))
    assert altered != hcert.pack(signed)
    assert verifier(altered, **as_key())["status"] == "invalid_signature"
    another = level_pass.PassSigner(ec.generate_private_key(ec.SECP256R1()), KEY_ID)
    assert verifier(another.issue(make()), **as_key())["status"] == "invalid_signature"

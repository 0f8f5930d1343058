"""What a bundle may take of the page's memory, and what it may not say."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from playwright.sync_api import Page

from hutong.passes.credential import status_list
from hutong.passes.credential.certificates import key_id_of
from tests.passes.test_bundle_limits import MISSTATED
from tests.web.verifier.test_modules import READ
from tests.web.verifier.world import Site

pytestmark = pytest.mark.browser

COUNT = """async ({signed, key}) => {
  const {readBundle} = await import('/static/verifier/bundle.js');
  const whole = globalThis.DecompressionStream;
  let inflated = 0;
  globalThis.DecompressionStream = class extends whole {
    constructor(format) { super(format); inflated += 1; }
  };
  try { await readBundle(signed, key) } catch (error) { return {code: error.code ?? String(error), inflated} }
  finally { globalThis.DecompressionStream = whole }
}"""


def test_status_lists_past_the_limit_of_all_together_are_not_inflated(module_page: Page, site: Site) -> None:
    tw, at = site.regions["tw"], site.now.replace(microsecond=0)
    bits = bytes(status_list.MAX_BITS // 8)
    texts = []
    for number in range(20):
        large = status_list.StatusList("tw", number, 1, at, at + timedelta(hours=9), status_list.MAX_BITS, bits)
        message = status_list.sign(large, tw.key, key_id_of(tw.certificate), packed_small=False)
        texts.append(base64.b64encode(message).decode())
    signed = site.bundle(status_lists={"tw": texts, "pe": []})
    assert len(signed) < 1_000_000
    found = module_page.evaluate(COUNT, {"signed": signed, "key": site.key})
    assert found == {"code": "limit-exceeded", "inflated": 16}


def test_a_status_list_or_a_party_is_named_once(module_page: Page, site: Site) -> None:
    tw = site.regions["tw"]
    one, other = tw.status_list(site.now), tw.status_list(site.now, hours=20)
    entry = tw.entry(site.now)
    bundles = [
        site.bundle(status_lists={"tw": [one, one]}),
        site.bundle(status_lists={"tw": [one, other]}),
        site.bundle(parties=[entry, entry]),
    ]
    assert [module_page.evaluate(READ, {"signed": signed, "key": site.key}) for signed in bundles] == ["bad-input"] * 3


def test_numbers_and_times_that_nobody_can_hold_or_reckon_with_are_refused(module_page: Page, site: Site) -> None:
    """The same as at a node."""
    for change in MISSTATED:
        signed = site.bundle(**{"number": 5, **change})
        assert module_page.evaluate(READ, {"signed": signed, "key": site.key}) == "bad-input", change

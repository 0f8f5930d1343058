"""A standard that contradicts itself is refused in words that name the file, never read half."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hutong.standard
from hutong.errors import BadInput
from hutong.standard import Standard, load
from hutong.standard.loader import read

FOLDER = Path(hutong.standard.__file__).parent
FILES = sorted(FOLDER.rglob("*.yaml"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "standard", ignore=shutil.ignore_patterns("*.py*")))


CONTRADICTIONS = [
    ("tables/case", "range: Disease", "range: Sickness", "disease has the unknown range 'Sickness'"),
    ("tables/case", "range: week", "range: fortnight", "report_week has the unknown range 'fortnight'"),
    ("tables/case", "label_zh: 病例编号", "label: x", "case_id has no label in 'zh'"),
    ("tables/case", "title: Case number", "title: ''", "case_id has no label in 'en'"),
    ("tables/case", "sensitivity: identifier", "sensitivity: secret", "case_id has no sensitivity"),
    ("tables/case", "gbt_group: health", "gbt_group: wealth", "unknown GB/T group 'wealth'"),
    ("tables/case", "fhir: Condition.code", "fhir: condition.Code", "disease has the malformed FHIR path"),
    ("tables/case", "minimum_value: 0", "minimum_value: 200", "age has a minimum above its maximum"),
    ("tables/case", "range: integer", "range: date", "report_year has bounds but is no number"),
    ("tables/case", "pattern: '^.{1,64}$'", "pattern: '^.{1,64$('", "case_id has a pattern that is no regular"),
    ("tables/case", "        pattern: '^.{1,64}$'\n", "", "case_id is a string: a text needs a pattern"),
    ("tables/case", "      case_id:", "      caseId:", "'caseId' is no element name"),
    ("tables/case", "      case_id:", "      fact_id:", "every fact has the element fact_id already"),
    ("tables/case", "      case_id:", "      disease:", "disease is declared twice"),
    ("tables/case", "slots: [fact_id]", "slots: [case_number]", "the key .* is not made of its elements"),
    ("tables/case", "  Case:", "  Kase:", "Kase belongs in tables/kase.yaml"),
    ("tables/case", "classes:", "classes: {}\nothers:", "it declares 0 classes, not one"),
    ("tables/case", "    attributes:", "    attributes: {}\n    others:", "Case has no attributes"),
    ("tables/case", "title: Case number", "title: [", "it is no YAML"),
    ("tables/case", "title: Case number", "title: 2020-01-01", "'2020-01-01' is no text, number or truth value"),
    ("codes/sex", "      female:", "      male:", "male is declared twice"),
    ("codes/sex", "label_zh: 女", "label_zh: ''", "female has no label in 'zh'"),
    ("standard", "  - tables/case\n", "  - tables/case\n  - tables/case\n", "table case is imported twice"),
    ("standard", "  - tables/immunization\n", "  - tables/vaccination\n", "the file is missing"),
    ("standard", "  - tables/stock\n", "", "no element uses the code list stock_"),
    ("standard", "  - codes/sex\n", "", "unknown range 'Sex'"),
    ("standard", "version: 1.0.0", "version: 1.0", "no version in quotes"),
    ("types", "pattern: '^[0-9]", "pattern: '^[0-9", "no regular expression"),
]


@pytest.mark.parametrize(("part", "before", "after", "message"), CONTRADICTIONS)
def test_contradiction_is_refused(copy: Path, part: str, before: str, after: str, message: str) -> None:
    path = copy / f"{part}.yaml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        read(copy)


def test_the_untouched_copy_is_the_standard(copy: Path) -> None:
    assert read(copy) == load()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_standard_that_lost_a_line_is_read_or_refused(copy: Path, data: st.DataObject) -> None:
    """Whatever line is lost, the answer is a whole standard or one clear refusal."""
    source = data.draw(st.sampled_from(FILES))
    path = copy / source.relative_to(FOLDER)
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    lost = data.draw(st.integers(0, len(lines) - 1))
    path.write_text("".join(lines[:lost] + lines[lost + 1 :]), encoding="utf-8")
    try:
        assert isinstance(read(copy), Standard)
    except BadInput as refusal:
        assert "The standard is inconsistent: " in refusal.what
    finally:
        path.write_text("".join(lines), encoding="utf-8")

"""The standard is complete, bilingual, valid LinkML, and says nothing that FHIR R4 does not know."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from linkml_runtime import SchemaView
from yaml.cyaml import CParser

import hutong.standard
from hutong.errors import BadInput
from hutong.standard import CodeList, Element, Sensitivity, Standard, load, loader
from hutong.standard.element import GBT_GROUPS, LANGUAGES
from hutong.standard.reference import reference_page

FOLDER = Path(hutong.standard.__file__).parent
TABLES = (
    "person", "case", "test", "immunization", "symptom", "stay", "contact", "place", "area", "count", "policy", "stock"
)  # fmt: skip
CJK = re.compile(r"[\u4e00-\u9fff]")

# First elements below each FHIR R4 (4.0.1) resource that the standard points to; a typing error shows here.
FHIR_R4 = {
    "Condition": "identifier clinicalStatus verificationStatus severity code subject onsetDateTime onsetAge "
    "onsetRange abatementDateTime recordedDate extension",
    "DiagnosticReport": "issued",
    "Encounter": "class location",
    "Immunization": "vaccineCode patient occurrenceDateTime location manufacturer lotNumber protocolApplied",
    "Location": "identifier name alias type address physicalType position partOf",
    "MeasureReport": "measure subject date reporter period group",
    "Observation": "code subject focus effectiveDateTime effectivePeriod issued performer valueQuantity "
    "valueCodeableConcept valueBoolean method component",
    "Patient": "identifier name telecom gender birthDate address extension",
    "Provenance": "target occurredDateTime recorded activity entity",
    "Specimen": "type",
}


@pytest.fixture(scope="module")
def standard() -> Standard:
    return load()


@pytest.fixture(scope="module")
def schema() -> SchemaView:
    return SchemaView(str(FOLDER / "standard.yaml"))


def every_element(standard: Standard) -> list[Element]:
    elements = [e for table in standard.tables.values() for e in table.elements] + list(standard.lineage)
    assert len(elements) > 100
    return elements


def test_every_table_of_the_design_is_there_in_its_order(standard: Standard) -> None:
    assert tuple(standard.tables) == TABLES


def test_every_fact_says_where_it_came_from_and_its_two_times(standard: Standard) -> None:
    names = [element.name for element in standard.lineage]
    assert names == ["fact_id", "source_id", "receipt_id", "row_number", "true_from", "known_at"]


def test_every_text_is_in_english_and_chinese(standard: Standard) -> None:
    texts = [thing.label for thing in standard.tables.values()]
    texts += [thing.description for thing in standard.tables.values()]
    texts += [text for e in every_element(standard) for text in (e.label, e.description)]
    for code_list in standard.code_lists.values():
        texts += [code_list.text, *(code.text for code in code_list.codes)]
    assert len(texts) > 700
    for text in texts:
        assert tuple(text) == LANGUAGES
        assert text["en"].isascii() or not CJK.search(text["en"])
    without_chinese = {text["zh"] for text in texts if not CJK.search(text["zh"])}
    assert not without_chinese


def test_descriptions_are_sentences(standard: Standard) -> None:
    for element in every_element(standard):
        assert element.description["en"].endswith("."), element.name
        assert element.description["zh"].endswith("。"), element.name


def test_labels_tell_the_elements_of_a_table_apart(standard: Standard) -> None:
    for table in standard.tables.values():
        for language in LANGUAGES:
            repeated = [k for k, n in Counter(e.label[language] for e in table.elements).items() if n > 1]
            assert not repeated, (table.name, repeated)


def test_the_values_of_a_code_list_are_unique_whatever_their_case(standard: Standard) -> None:
    assert len(standard.code_lists) > 20
    for code_list in standard.code_lists.values():
        assert len({code.value.lower() for code in code_list.codes}) == len(code_list.codes) > 1
        meanings = Counter(code.meaning for code in code_list.codes if code.meaning)
        assert not [meaning for meaning, times in meanings.items() if times > 1], code_list.name


def test_fhir_paths_name_elements_of_fhir_r4(standard: Standard) -> None:
    paths = [element.fhir for element in every_element(standard) if element.fhir]
    assert len(paths) > 80
    for path in paths:
        resource, _, rest = path.partition(".")
        assert rest.split(".")[0] in FHIR_R4[resource].split(), path
    resources = {table.fhir for table in standard.tables.values()} - {""}
    assert resources <= set(FHIR_R4)


def test_every_gbt_group_is_used_and_basic_identity_is_in_the_basic_group(standard: Standard) -> None:
    used = Counter(element.gbt_group for element in every_element(standard))
    assert set(GBT_GROUPS) < set(used)
    basic = {e.name for e in standard.table("person").elements if e.gbt_group == "basic"}
    # the items of group a that are public (see the crosswalk page)
    assert basic >= {
        "name", "sex", "nationality", "id_type", "id_number", "household_area_code", "address", "phone",
        "medical_history",
    }  # fmt: skip


def test_direct_identifiers_are_declared_for_the_vault_only_where_persons_are(standard: Standard) -> None:
    found = {(e.table, e.name) for e in every_element(standard) if e.sensitivity is Sensitivity.IDENTIFIER}
    assert found == {
        ("person", "name"), ("person", "id_type"), ("person", "id_number"), ("person", "phone"),
        ("person", "address"), ("case", "case_id"),
    }  # fmt: skip


def test_tables_about_persons_hide_where_they_live(standard: Standard) -> None:
    hidden = (
        "residence_village_code",
        "residence_longitude",
        "residence_latitude",
        "residence_area_code",
        "age",
    )
    for name in hidden:
        assert standard.table("case").element(name).sensitivity is Sensitivity.QUASI_IDENTIFIER


def test_tables_without_persons_are_plain(standard: Standard) -> None:
    for name in ("place", "area", "count", "policy", "stock"):
        assert {e.sensitivity for e in standard.table(name).elements} == {Sensitivity.PLAIN}


def test_numbers_have_bounds_where_people_are_counted_or_measured(standard: Standard) -> None:
    unbounded = {
        (e.table, e.name) for e in every_element(standard) if e.type in ("integer", "decimal") and e.minimum is None
    }
    assert unbounded == {("test", "result_value")}  # its unit depends on the test


def test_every_text_has_a_pattern_and_a_longest_length(standard: Standard) -> None:
    texts = [e for e in every_element(standard) if e.type in ("string", "week")]
    assert len(texts) > 40
    for element in texts:
        assert element.pattern is not None
        assert not re.fullmatch(element.pattern, "a" * 3000), element.name
        assert not re.fullmatch(element.pattern, ""), element.name


def test_nearest_name_is_offered(standard: Standard) -> None:
    with pytest.raises(BadInput, match=r"no element 'onsetdate'\. The nearest is 'onset_date'"):
        standard.table("case").element("onsetdate")
    with pytest.raises(BadInput, match=r"no table 'cases'\. The nearest is 'case'"):
        standard.table("cases")
    with pytest.raises(BadInput, match="The nearest is 'severity'"):
        standard.code_list("severety")
    with pytest.raises(BadInput, match=r"no value 'Female'\. The nearest is 'female'"):
        standard.code_list("sex").code("Female")
    with pytest.raises(BadInput) as caught:
        standard.table("case").element("x" * 10_000)
    assert len(str(caught.value)) < 200


def test_age_groups_are_bands_of_five_years(standard: Standard) -> None:
    bands = [c.value for c in standard.code_list("age_group").codes if "-" in c.value]
    assert bands == [f"{low}-{low + 4}" for low in range(0, 85, 5)]


def test_countries_are_those_of_iso_3166_1(standard: Standard) -> None:
    countries = standard.code_list("country")
    assert len(countries.values) == 249
    assert {"TW", "PE", "NO", "CN"} <= countries.values
    assert all(re.fullmatch("[A-Z]{2}", value) for value in countries.values)


def test_linkml_reads_the_same_tables_and_elements(standard: Standard, schema: SchemaView) -> None:
    classes = {name.lower(): name for name in schema.all_classes()}
    assert set(classes) == {*TABLES, "fact"}
    for table in standard.tables.values():
        name = classes[table.name]
        ours = [e.name for e in (*table.elements, *standard.lineage)]
        assert schema.class_slots(name) == ours
        assert tuple(schema.get_class(name).unique_keys["key"].unique_key_slots) == table.key
        for element in table.elements:
            slot = schema.induced_slot(element.name, name)
            assert bool(slot.required) == element.necessary
            assert slot.title == element.label["en"]
            assert slot.annotations["sensitivity"].value == element.sensitivity
            enum = schema.all_enums().get(slot.range)
            assert (enum is not None) == (element.type == "code")
            assert enum or slot.range in schema.all_types()


def test_linkml_reads_the_same_code_lists(standard: Standard, schema: SchemaView) -> None:
    by_name = {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", k).lower(): v for k, v in schema.all_enums().items()}
    assert set(by_name) == set(standard.code_lists)

    def values(code_list: CodeList) -> list[str]:
        return [code.value for code in code_list.codes]

    for name, enum in by_name.items():
        # str(): LinkML must not have read a value such as NO as something else
        assert [str(value) for value in enum.permissible_values] == values(standard.code_lists[name])


def test_prefixes_of_all_meanings_are_declared(standard: Standard, schema: SchemaView) -> None:
    curies = [
        curie
        for code_list in standard.code_lists.values()
        for code in code_list.codes
        for curie in (code.meaning, *code.mappings)
        if curie
    ]
    assert len(curies) > 80
    for name in standard.code_lists:
        declared = SchemaView(str(FOLDER / "codes" / f"{name}.yaml")).schema.prefixes
        for code in standard.code_lists[name].codes:
            for curie in (code.meaning, *code.mappings):
                assert not curie or curie.split(":")[0] in declared, (name, curie)


def test_no_file_lies_outside_the_standard(schema: SchemaView) -> None:
    on_disk = {str(path.relative_to(FOLDER))[: -len(".yaml")] for path in FOLDER.rglob("*.yaml")}
    assert on_disk - {"standard"} == {name for name in schema.schema.imports if ":" not in name}


def test_the_committed_reference_page_is_the_generated_one(standard: Standard) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "standard.md"
    remedy = "run: python -m hutong.standard.reference"
    assert page.read_text(encoding="utf-8") == reference_page(standard), remedy


def test_the_reference_page_names_everything_once(standard: Standard) -> None:
    page = reference_page(standard)
    for table in standard.tables.values():
        assert page.count(f"\n### {table.name} · ") == 1
        for element in table.elements:
            assert f"| `{element.name}` |" in page
    for code_list in standard.code_lists.values():
        assert page.count(f'<a id="{code_list.name}">') == 1
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(rows) > 600
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5, 9}  # four and eight cells


def test_it_is_read_once_and_by_libyaml() -> None:
    assert load() is load()
    assert issubclass(loader._YAML_LOADER, CParser)

"""A catalogue as a region would show it: weekly counts for everybody, a line list by agreement."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hutong.opening.catalogue.catalogue import (
    Catalogue,
    Column,
    Contact,
    Dataset,
    Distribution,
    Keywords,
    LegalBasis,
    Origin,
    Period,
    Publisher,
    Quality,
    Release,
    Territory,
    Text,
)

NODE = "https://tw.example"
AUTHORITY = Publisher(
    "region-cdc", Text("Region Centre for Disease Control", "区域疾病控制中心"), NODE, "data@tw.example"
)
BUREAU = Publisher("health-bureau", Text("Health Bureau", "卫生局"), "https://bureau.example", "open@bureau.example")
TAIWAN = Territory("TWN", Text("Taiwan", "台湾"), "http://publications.europa.eu/resource/authority/country/TWN")
HEALTH = "http://publications.europa.eu/resource/authority/data-theme/HEAL"
WEEKLY = "http://publications.europa.eu/resource/authority/frequency/WEEKLY"
CC_BY = "http://creativecommons.org/licenses/by/4.0/"
REGISTRY = "http://healthdata.ec.europa.eu/authority/health-category/PUBLIC_HEALTH_REG"
LAW = LegalBasis("Communicable Disease Control Act", "https://law.example/communicable-disease-control")
COLUMNS = (
    Column("week", "string", Text("Week", "周"), Text("ISO week of onset", "发病的 ISO 周")),
    Column("area", "string", Text("Area", "地区"), Text("Code of the township", "乡镇代码")),
    Column("cases", "integer", Text("Cases", "病例数"), Text("Confirmed cases; empty when withheld")),
)


def distribution(kind: str, dataset_id: str, version: str, *, open_file: bool = True) -> Distribution:
    media_types = {"csv": "text/csv", "json": "application/json", "parquet": "application/vnd.apache.parquet"}
    address = f"{NODE}/files/{dataset_id}/{version}/data.{kind}"
    page = f"{NODE}/en/catalogue/{dataset_id}/{version}"
    return Distribution(kind, media_types[kind], page, address if open_file else "", 1234, "ab" * 32, COLUMNS)


def release(
    dataset_id: str, version: str, issued: datetime, *, supersedes: str = "", open_file: bool = True
) -> Release:
    files = (distribution(kind, dataset_id, version, open_file=open_file) for kind in ("csv", "json", "parquet"))
    return Release(
        id=f"{dataset_id}@{version}",
        dataset_id=dataset_id,
        version=version,
        issued=issued,
        supersedes=supersedes,
        rows=4821,
        sha256="cd" * 32,
        quality=Quality("B", 0.87),
        risk="Highest probability of re-identification 0.1 (k = 10).",
        suppression="Cells under 5 are withheld, with a second cell where a margin would give them back.",
        as_of=issued.date(),
        temporal=Period(date(1998, 1, 2), date(2024, 12, 31)),
        distributions=tuple(files),
    )


def weekly_counts() -> Dataset:
    name = "dengue-weekly-counts"
    return Dataset(
        id=name,
        title=Text("Dengue: weekly counts by township", "登革热：各乡镇每周病例数"),
        description=Text(
            "Confirmed cases of dengue by week of onset and township.", "按发病周和乡镇统计的登革热确诊病例。"
        ),
        publisher=AUTHORITY,
        grade=0,
        themes=(HEALTH,),
        keywords=Keywords(("dengue", "weekly", "surveillance"), ("登革热", "监测")),
        health_categories=(REGISTRY,),
        territory=TAIWAN,
        temporal=Period(date(1998, 1, 2), date(2024, 12, 31)),
        licence=CC_BY,
        frequency=WEEKLY,
        conforms_to=("urn:hutong:standard:count:1",),
        provenance=Text("Counted from notified cases, accepted rows only.", "按已接收的报告病例统计。"),
        contact=Contact("Data desk", "data@tw.example", f"{NODE}/en/contact"),
        legal_basis=LAW,
        purpose="Public information on an epidemic",
        landing_url=f"{NODE}/en/catalogue/{name}",
        releases=(
            release(name, "1", datetime(2024, 1, 8, 9, tzinfo=UTC)),
            release(name, "2", datetime(2025, 1, 6, 9, 30, tzinfo=UTC), supersedes="1"),
        ),
    )


def line_list() -> Dataset:
    name = "dengue-line-list"
    return Dataset(
        id=name,
        title=Text("Dengue: de-identified line list", "登革热：去标识化病例清单"),
        description=Text("One row a case, k-anonymous on age group, sex, week and district."),
        publisher=BUREAU,
        grade=2,
        themes=(HEALTH,),
        keywords=Keywords(("dengue", "line list"), ("登革热", "个案")),
        health_categories=(REGISTRY,),
        territory=TAIWAN,
        temporal=Period(date(2010, 1, 1), None),
        licence="urn:hutong:licence:by-agreement",
        provenance=Text("Notified cases after generalisation."),
        contact=Contact("Data desk", "data@tw.example"),
        legal_basis=LegalBasis("Emergency order 7"),
        purpose="Research and outbreak control",
        landing_url=f"{NODE}/en/catalogue/{name}",
        releases=(release(name, "2024.1", datetime(2024, 6, 1, tzinfo=UTC), open_file=False),),
    )


def harvested() -> Dataset:
    return Dataset(
        id="dengue-weekly-counts",
        title=Text("Dengue in Peru: weekly counts", "秘鲁登革热：每周病例数"),
        description=Text("Cases by epidemiological week and district."),
        publisher=Publisher("minsa", Text("Ministry of Health"), "https://pe.example"),
        grade=1,
        themes=(HEALTH,),
        origin=Origin("pe", "https://pe.example", "https://pe.example/id/dataset/dengue-weekly-counts"),
    )


def catalogue(*datasets: Dataset) -> Catalogue:
    return Catalogue(
        id="tw",
        url=NODE,
        title=Text("Region Taiwan: health data", "台湾地区卫生数据"),
        description=Text("What this node collects and opens.", "本节点收集并开放的数据。"),
        publisher=AUTHORITY,
        created=datetime(2024, 1, 1, tzinfo=UTC),
        datasets=datasets or (weekly_counts(), line_list(), harvested()),
    )

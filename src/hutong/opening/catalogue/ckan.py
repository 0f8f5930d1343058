"""The catalogue as CKAN's Action API v3 tells it (https://docs.ckan.org/en/2.11/api/).

Reading actions only. ``answer`` gives the whole envelope and its HTTP status for one call, so that a door needs one
route; nothing is raised. Names are slugs, ids are UUIDs made from the URI, and a package shows the files of the
current release, with earlier versions among its extras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from hutong.errors import BadInput, HutongError, NotFound, NotSignedIn, Refused

from .catalogue import Catalogue, Dataset, Distribution, Publisher, Release, dataset_uri, publisher_uri
from .ckan_query import MAX_ROWS, facet_fields, number, search_query, words
from .licences import CLOSED, LICENCES, Licence, licence_in_ckan
from .search import MAX_FACET_VALUES, Query, Results, tag

VERSION = "2.11.0"
"""The version of CKAN whose Action API is spoken."""

Find = Callable[[Query], Results]


def answer(
    action: str, parameters: Mapping[str, object], catalogue: Catalogue, find: Find
) -> tuple[int, dict[str, object]]:
    """HTTP status and envelope for one call.

    Args:
        action: the part of the path after ``/api/3/action/``.
        parameters: from the query string (text) or from a JSON body (any JSON value).
        catalogue: all that may be shown to the caller.
        find: full-text search over the same datasets.
    """
    envelope: dict[str, object] = {"help": f"{catalogue.url}/api/3/action/help_show?name={action[:80]}"}
    do = _ACTIONS.get(action)
    try:
        if do is None:
            raise BadInput(f"Action name not known: {action[:80]}", f"Use {', '.join(sorted(_ACTIONS))}.")
        return 200, envelope | {"success": True, "result": do(parameters, catalogue, find)}
    except HutongError as error:
        status, kind = _refusal(error, known=do is not None, action=action)
        told: dict[str, object] = {"__type": kind, "message": f"{error.what} {error.do}"}
        return status, envelope | {"success": False, "error": told}


def _refusal(error: HutongError, *, known: bool, action: str) -> tuple[int, str]:
    """CKAN's own status and type for an error of ours (``ckan/views/api.py``)."""
    if not known:
        return 400, "Bad Request"
    if isinstance(error, NotFound):
        return 404, "Not Found Error"
    if isinstance(error, Refused | NotSignedIn):
        return 403, "Authorization Error"
    if error.status < 500:
        return 409, "Search Query Error" if action == "package_search" else "Validation Error"
    return error.status, "Internal Server Error"


def package(dataset: Dataset, catalogue: Catalogue) -> dict[str, object]:
    """A dataset as CKAN's package dictionary."""
    uri = dataset_uri(dataset, catalogue.url)
    current = dataset.current
    licence = licence_in_ckan(dataset.files_licence, dataset.grade)
    files = current.distributions if current else ()
    tags = _tags(dataset)
    return {
        "id": _uuid(uri),
        "name": dataset.name,
        "title": dataset.title.in_language("en"),
        "notes": dataset.description.in_language("en"),
        "type": "dataset",
        "state": "active",
        "private": False,
        # Open is what anybody may have, and do with it what they like: the licence alone does not make it so.
        "isopen": licence is not None and licence.is_open and dataset.grade == 0,
        "license_id": licence.id if licence else "",
        "license_title": licence.title if licence else dataset.licence,
        "license_url": dataset.files_licence,
        "url": dataset.landing_url,
        "version": current.version if current else None,
        "metadata_created": _time(dataset.first_issued or catalogue.created),
        "metadata_modified": _time(dataset.last_issued or catalogue.created),
        "creator_user_id": None,
        "owner_org": _organisation_id(dataset, catalogue),
        "organization": _organisation(dataset, catalogue),
        "groups": [],
        "tags": tags,
        "num_tags": len(tags),
        "resources": [_resource(place, file, current, uri) for place, file in enumerate(files) if current],
        "num_resources": len(files),
        "extras": [{"key": key, "value": value} for key, value in sorted(_extras(dataset, uri).items())],
        "relationships_as_object": [],
        "relationships_as_subject": [],
    }


def _extras(dataset: Dataset, uri: str) -> dict[str, str]:
    current, territory, period, origin = dataset.current, dataset.territory, dataset.temporal, dataset.origin
    quality = current.quality if current else None
    told = {
        "uri": uri,
        "guid": uri,
        "identifier": dataset.id,
        "grade": str(dataset.grade),
        "access_rights": dataset.access_rights,
        "title_zh": dataset.title.zh,
        "notes_zh": dataset.description.zh,
        "source_licence": dataset.licence if dataset.licence != dataset.files_licence else "",
        "theme": " ".join(dataset.themes),
        "conforms_to": " ".join(dataset.conforms_to),
        "frequency": dataset.frequency,
        "provenance": dataset.provenance.in_language("en") if dataset.provenance else "",
        "purpose": dataset.purpose,
        "legal_basis": dataset.legal_basis.title if dataset.legal_basis else "",
        "contact_name": dataset.contact.name if dataset.contact else "",
        "contact_email": dataset.contact.email if dataset.contact else "",
        "spatial_uri": territory.uri if territory else "",
        "territory": territory.code if territory else "",
        "temporal_start": period.start.isoformat() if period and period.start else "",
        "temporal_end": period.end.isoformat() if period and period.end else "",
        "quality_label": quality.label if quality else "",
        "quality_score": str(quality.score) if quality else "",
        "as_of": current.as_of.isoformat() if current and current.as_of else "",
        "rows": str(current.rows) if current and current.rows is not None else "",
        "risk": current.risk if current else "",
        "suppression": current.suppression if current else "",
        "supersedes": current.supersedes if current else "",
        "versions": " ".join(release.version for release in dataset.releases),
        "origin_node": origin.node_id if origin else "",
        "harvest_source_url": origin.node_url if origin else "",
    }
    return {key: value for key, value in told.items() if value}


def _resource(place: int, file: Distribution, release: Release, uri: str) -> dict[str, object]:
    return {
        "id": _uuid(f"{uri}/release/{release.version}/{place}-{file.format}"),
        "package_id": _uuid(uri),
        "position": place,
        "name": f"{file.format.upper() or 'File'} (version {release.version})",
        "description": release.suppression,
        "url": file.url or file.access_url,
        "url_type": None,
        "format": file.format.upper(),
        "mimetype": file.media_type or None,
        "mimetype_inner": None,
        "resource_type": "file" if file.url else "api",
        "size": file.bytes,
        "hash": file.sha256,
        "hash_algorithm": "http://spdx.org/rdf/terms#checksumAlgorithm_sha256" if file.sha256 else "",
        "state": "active",
        "created": _time(release.issued) if release.issued else None,
        "last_modified": _time(release.issued) if release.issued else None,
        "cache_url": None,
        "cache_last_updated": None,
    }


def _tags(dataset: Dataset) -> list[dict[str, object]]:
    return [_tag(word) for word in (*dataset.keywords.en, *dataset.keywords.zh)]


def _tag(word: str) -> dict[str, object]:
    name = tag(word)
    return {
        "id": _uuid(f"urn:hutong:tag:{name}"),
        "name": name,
        "display_name": name,
        "state": "active",
        "vocabulary_id": None,
    }


def _organisation_id(dataset: Dataset, catalogue: Catalogue) -> str:
    home = dataset.origin.node_url if dataset.origin else catalogue.url
    return _uuid(publisher_uri(dataset.publisher, home))


def _organisation(dataset: Dataset, catalogue: Catalogue) -> dict[str, object]:
    return _organisation_entry(dataset.publisher, _organisation_id(dataset, catalogue), catalogue)


def _organisation_entry(publisher: Publisher, told_id: str, catalogue: Catalogue) -> dict[str, object]:
    return {
        "id": told_id,
        "name": publisher.id,
        "title": publisher.name.in_language("en"),
        "description": publisher.name.in_language("zh"),
        "image_url": "",
        "created": _time(catalogue.created),
        "is_organization": True,
        "type": "organization",
        "approval_status": "approved",
        "state": "active",
    }


def _organisations(catalogue: Catalogue) -> dict[str, tuple[dict[str, object], list[Dataset]]]:
    """Each publisher with datasets, by slug; where two nodes use one slug, the first in the catalogue names it."""
    found: dict[str, tuple[dict[str, object], list[Dataset]]] = {}
    for dataset in catalogue.datasets:
        _entry, datasets = found.setdefault(dataset.publisher.id, (_organisation(dataset, catalogue), []))
        datasets.append(dataset)
    return {
        name: (
            entry
            | {
                "display_name": entry["title"],
                "package_count": len(datasets),
                "num_followers": 0,
                "groups": [],
                "tags": [],
                "extras": [],
                "users": [],
            },
            datasets,
        )
        for name, (entry, datasets) in sorted(found.items())
    }


def _package_search(parameters: Mapping[str, object], catalogue: Catalogue, find: Find) -> object:
    slugs = {str(entry["id"]): name for name, (entry, _) in _organisations(catalogue).items()}
    results = find(search_query(parameters, slugs))
    by_name = {dataset.name: dataset for dataset in catalogue.datasets}
    titles = {dataset.publisher.id: dataset.publisher.name.in_language("en") for dataset in catalogue.datasets}
    facets: dict[str, dict[str, int]] = {}
    search_facets: dict[str, object] = {}
    for told, name in facet_fields(parameters):
        found = results.facets.get(name, ())  # of what is not kept here, such as groups, nothing
        counts = [(c.value.upper() if name == "format" else c.value, c.count) for c in found]
        facets[told] = dict(counts)
        items = [{"name": value, "display_name": titles.get(value, value), "count": count} for value, count in counts]
        search_facets[told] = {"title": told, "items": items}
    return {
        "count": results.total,
        "sort": words(parameters, "sort") or "score desc, metadata_modified desc",
        "facets": facets,
        "search_facets": search_facets,
        "results": [package(by_name[name], catalogue) for name in results.names if name in by_name],
    }


def _package_show(parameters: Mapping[str, object], catalogue: Catalogue, _: Find) -> object:
    asked = words(parameters, "id") or words(parameters, "name_or_id")
    if not asked:
        raise BadInput("id: Missing value.", "Give a dataset's name or id.")
    for dataset in catalogue.datasets:
        if asked in (dataset.name, _uuid(dataset_uri(dataset, catalogue.url))):
            return package(dataset, catalogue)
    raise NotFound("Not found: there is no such dataset.", "Look it up with package_list.")


def _resource_show(parameters: Mapping[str, object], catalogue: Catalogue, _: Find) -> object:
    asked = words(parameters, "id")
    for dataset in catalogue.datasets:
        uri, current = dataset_uri(dataset, catalogue.url), dataset.current
        for place, file in enumerate(current.distributions if current else ()):
            told = _resource(place, file, current, uri) if current else {}
            if told["id"] == asked:
                return told
    raise NotFound("Not found: there is no such resource.", "Look it up with package_show.")


def _package_list(parameters: Mapping[str, object], catalogue: Catalogue, _: Find) -> object:
    return _page(parameters, [dataset.name for dataset in catalogue.datasets])


def _page(parameters: Mapping[str, object], found: Sequence[object]) -> object:
    offset = number(parameters, "offset", 0, len(found))
    return found[offset : offset + number(parameters, "limit", MAX_ROWS, MAX_ROWS)]


def _organization_list(parameters: Mapping[str, object], catalogue: Catalogue, _: Find) -> object:
    organisations = _organisations(catalogue)
    if _is_set(parameters, "all_fields"):
        return _page(parameters, [entry for entry, _ in organisations.values()])
    return _page(parameters, list(organisations))


def _organization_show(parameters: Mapping[str, object], catalogue: Catalogue, _: Find) -> object:
    asked = words(parameters, "id")
    for name, (entry, datasets) in _organisations(catalogue).items():
        if asked in (name, entry["id"]):
            if _is_set(parameters, "include_datasets"):
                return entry | {"packages": [package(dataset, catalogue) for dataset in datasets[:MAX_ROWS]]}
            return entry
    raise NotFound("Not found: there is no such organization.", "Look it up with organization_list.")


def _tag_list(parameters: Mapping[str, object], catalogue: Catalogue, _: Find) -> object:
    wanted = words(parameters, "query").casefold()
    known = {str(one["name"]): one for dataset in catalogue.datasets for one in _tags(dataset)}
    found = [one for name, one in sorted(known.items()) if wanted in name.casefold()][:MAX_FACET_VALUES]
    return found if _is_set(parameters, "all_fields") else [one["name"] for one in found]


def _license_list(_p: Mapping[str, object], _c: Catalogue, _: Find) -> object:
    return [_licence(one) for one in (*LICENCES, CLOSED)]


def _licence(licence: Licence) -> dict[str, object]:
    return {
        "id": licence.id,
        "title": licence.title,
        "url": f"https://{licence.addresses[-1]}" if licence.addresses else "",
        "status": "active",
        "od_conformance": "approved" if licence.is_open else "rejected",
        "is_okd_compliant": licence.is_open,
    }


def _group_list(_p: Mapping[str, object], _c: Catalogue, _: Find) -> object:
    return []  # no dataset is in a group


def _is_set(parameters: Mapping[str, object], name: str) -> bool:
    return words(parameters, name).lower() in ("true", "1")


def _status_show(_p: Mapping[str, object], catalogue: Catalogue, _: Find) -> object:
    return {
        "site_title": catalogue.title.in_language("en"),
        "site_description": catalogue.description.in_language("en"),
        "site_url": catalogue.url,
        "ckan_version": VERSION,
        "error_emails_to": None,
        "locale_default": "en",
        "extensions": [],
    }


def _site_read(_p: Mapping[str, object], _c: Catalogue, _: Find) -> object:
    return True


def _help_show(parameters: Mapping[str, object], _c: Catalogue, _: Find) -> object:
    name = words(parameters, "name")
    if name not in _ACTIONS:
        raise NotFound("Not found: there is no such action.", f"Use {', '.join(sorted(_ACTIONS))}.")
    return f"{name}: as in the CKAN Action API v3, https://docs.ckan.org/en/2.11/api/"


_ACTIONS: dict[str, Callable[[Mapping[str, object], Catalogue, Find], object]] = {
    "group_list": _group_list,
    "help_show": _help_show,
    "license_list": _license_list,
    "organization_list": _organization_list,
    "organization_show": _organization_show,
    "package_list": _package_list,
    "package_search": _package_search,
    "package_show": _package_show,
    "resource_show": _resource_show,
    "site_read": _site_read,
    "status_show": _status_show,
    "tag_list": _tag_list,
}


def _uuid(uri: str) -> str:
    return str(uuid5(NAMESPACE_URL, uri))


def _time(moment: datetime) -> str:
    """UTC without a zone and always with microseconds: CKAN's harvester compares these as words."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")

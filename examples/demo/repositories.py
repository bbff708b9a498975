"""The invented repositories of the demo upstream, in GitHub's shape and GitHub's pages."""

from urllib.parse import urlencode

import upstream

DOCS = "https://docs.github.com/rest/repos/repos#list-repositories-for-the-authenticated-user"
OWNER = "mira-holt"

# name, what it is, private, language, stars, created, last push
INVENTED = [
    ("aurora-cam", "All-sky camera on a balcony in Tromsø", False, "Python", 212, "2021-02-11", "2026-11-19"),
    ("bread-log", "Hydration, hours and how it came out", False, "TypeScript", 41, "2020-04-02", "2026-10-04"),
    ("client-invoices", "What I am owed, and by whom", True, "Ruby", 0, "2019-09-17", "2026-11-20"),
    ("dotfiles", "My shell, as I like it", False, "Shell", 17, "2016-06-30", "2026-09-12"),
    ("ferry-times", "The next ferry, on one line", False, "Go", 388, "2018-05-21", "2026-11-02"),
    ("garden-sensors", "Soil moisture over LoRa", True, "Rust", 3, "2022-03-08", "2026-08-27"),
    ("letterpress", "Static sites set in real type", False, "Rust", 1904, "2017-11-13", "2026-11-21"),
    ("night-bus", "A novel. Chapter nine is stuck", True, "TeX", 1, "2023-01-15", "2026-11-11"),
    ("old-thesis", "Kept for the bibliography", True, "TeX", 0, "2014-10-01", "2019-02-28"),
    ("piano-roll", "MIDI to paper rolls, for a 1911 Pianola", False, "C", 97, "2020-12-24", "2026-07-07"),
    ("tide-tables", "Tides from harmonic constituents", False, "Julia", 530, "2018-08-19", "2026-10-30"),
    ("wedding-site", "Seating plan included", True, "JavaScript", 2, "2024-05-05", "2025-06-14"),
]
SORTS = {"created": "created_at", "updated": "updated_at", "pushed": "pushed_at", "full_name": "full_name"}


class Refusal(upstream.Refusal):
    """An answer that says no, in GitHub's shape."""

    def __init__(self, status, message, docs=DOCS):
        super().__init__(status, {"message": message, "documentation_url": docs, "status": str(status)})


def repository(number, row, base):
    """One repository with GitHub's field names, and much of GitHub's noise."""
    name, description, private, language, stars, created, pushed = row
    full_name = f"{OWNER}/{name}"
    api, html = f"{base}/repos/{full_name}", f"{base}/{full_name}"
    return {
        "id": 31_400_000 + number * 7919,
        "node_id": f"R_kgDOdemo{number:04d}",
        "name": name,
        "full_name": full_name,
        "private": private,
        "owner": owner(base),
        "html_url": html,
        "description": description,
        "fork": False,
        "url": api,
        **{f"{noun}_url": f"{api}/{noun}" for noun in ("forks", "hooks", "issues", "pulls", "tags", "teams")},
        "created_at": f"{created}T08:00:00Z",
        "updated_at": f"{pushed}T18:45:10Z",
        "pushed_at": f"{pushed}T18:45:08Z",
        "clone_url": f"{html}.git",
        "homepage": None,
        "size": 120 + number * 977,
        "stargazers_count": stars,
        "watchers_count": stars,
        "language": language,
        "has_issues": True,
        "has_wiki": False,
        "archived": name.startswith("old-"),
        "disabled": False,
        "license": None if private else {"key": "mit", "name": "MIT License", "spdx_id": "MIT"},
        "topics": [],
        "visibility": "private" if private else "public",
        "forks": stars // 20,
        "open_issues": number % 4,
        "default_branch": "main",
        "permissions": {"admin": True, "maintain": True, "push": True, "triage": True, "pull": True},
    }


def owner(base):
    return {
        "login": OWNER,
        "id": 5_550_123,
        "node_id": "MDQ6VXNlcjU1NTAxMjM=",
        "gravatar_id": "",
        "url": f"{base}/users/{OWNER}",
        "html_url": f"{base}/{OWNER}",
        "repos_url": f"{base}/users/{OWNER}/repos",
        "type": "User",
        "user_view_type": "public",
        "site_admin": False,
    }


def whole(query, name, default, most):
    """A positive whole number of the query; GitHub falls back where it is none."""
    text = query.get(name, [""])[-1]
    return min(int(text), most) if text.isascii() and text.isdigit() and int(text) else default


def listing(base, query):
    """One page of repositories and the `link` header that leads to the others."""
    sort = query.get("sort", ["full_name"])[-1]
    if sort not in SORTS:
        raise Refusal(422, "Validation Failed")
    rows = [repository(number, row, base) for number, row in enumerate(INVENTED, 1)]
    rows.sort(key=lambda row: row[SORTS[sort]], reverse=sort != "full_name")
    page, size = whole(query, "page", 1, 10_000), whole(query, "per_page", 30, 100)
    last = -(-len(rows) // size)
    return rows[(page - 1) * size : page * size], links(f"{base}/user/repos", query, page, last)


def links(url, query, page, last):
    """`rel` prev, next, last and first, each only where it leads somewhere."""
    kept = [(name, values[-1]) for name, values in query.items() if name != "page"]
    wanted = []
    if page > 1:
        wanted += [("prev", min(page - 1, last))]
    if page < last:
        wanted += [("next", page + 1), ("last", last)]
    if page > 1:
        wanted += [("first", 1)]
    return ", ".join(f'<{url}?{urlencode([*kept, ("page", number)])}>; rel="{rel}"' for rel, number in wanted)

"""The docs site: one folder, to open from disk or to publish as it is."""

from pathlib import Path

from catalog import pages, profiles, project, quality
from catalog.last_landing import last_landing

SITE = Path("docs/site")


def write(target: Path, folder: Path = SITE) -> Path:
    """Write all pages from dbt's ``target`` folder and the warehouse's records; returns the start page.

    Raises:
        LineageError: dbt has not compiled the models. The site stays as it was.
        FileNotFoundError: ``dbt docs generate --static`` has not been run.
    """
    content = project.load(target)
    schemas = {source["schema"] for source in content.manifest["sources"].values()}
    landing = next((found for schema in sorted(schemas) if (found := last_landing(schema))), None)
    marts = next(node["schema"] for node in content.manifest["nodes"].values() if node["schema"].endswith("marts"))
    records = pages.Records(
        landing,
        quality.builds(f"{marts.removesuffix('marts')}quality"),
        profiles.profiles(marts),
        profiles.figures(marts),
    )
    dbt_page = (target / "static_index.html").read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    pages.write(content, records, folder)
    (folder / "dbt.html").write_bytes(dbt_page)
    return folder / "index.html"

"""The page that a browser sees at the root: what this is and what to try."""

WELCOME = """<!doctype html>
<html lang="fr"><head><meta charset="utf-8"><title>Serveur FHIR MSMA</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; color: #1b2a33 }}
h1 {{ font-size: 1.6rem }} code {{ background: #eef3f5; padding: .1rem .3rem; border-radius: .2rem }}
.en {{ color: #5b6b74 }} li {{ margin: .4rem 0 }}
</style></head><body>
<h1>Serveur FHIR des microstructures médicales addictions</h1>
<p>FHIR R4 (4.0.1), version {version}. <span class="en" lang="en">Open FHIR R4 server of the MSMA network.</span></p>
<ul>
<li><a href="{root}/metadata?_pretty=true">{root}/metadata</a> : ce que sait faire le serveur
<span class="en" lang="en">– what the server does</span></li>
<li><a href="{root}/CareTeam?_pretty=true&amp;_include=CareTeam:patient">{root}/CareTeam</a> : les équipes
<span class="en" lang="en">– care teams and their patients</span></li>
<li><a href="{root}/EpisodeOfCare?_pretty=true&amp;status=active">{root}/EpisodeOfCare?status=active</a>
: les suivis en cours <span class="en" lang="en">– open episodes of care</span></li>
<li><a href="{root}/StructureDefinition?_pretty=true">{root}/StructureDefinition</a> : les profils MSMA
<span class="en" lang="en">– the profiles that are enforced</span></li>
</ul>
<p>Accès ouvert à tout programme de cette machine. <span class="en" lang="en">Access is open to every program on this
machine.</span></p>
</body></html>
"""


def welcome_page(root: str, version: str) -> str:
    """Returns the page as HTML."""
    return WELCOME.format(root=root, version=version)

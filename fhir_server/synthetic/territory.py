"""The 22 networks of March 2023: their départements, sizes and what distinguishes their patients.

Microstructures per region are those of the congress figures (15 March 2023). Which network holds how many of them, and
how the 4,610 + 336 patients are spread, is our own proportionate split; ages, sex ratios, substances, disorders follow
the 2020 report where it names a network (source in each `Weighted`), pulled towards the national mean where the network
has since grown several times over. Names of networks are descriptive, not those of real carriers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from fhir_server.synthetic.distributions import ASSUMPTION, MEETINGS_PER_YEAR, MONTHLY_MEETINGS, REPORT
from fhir_server.synthetic.draw import Weighted


@dataclass(frozen=True, slots=True)
class Region:
    """A region: `code` is the CNRMS's short name, `insee` the code of TRE_R30-RegionOM.

    `first_inclusion` is that of the Equip'addict experiment, None where the region has no part in it.
    """

    code: str
    name: str
    insee: str
    first_inclusion: date | None


@dataclass(frozen=True, slots=True)
class NetworkFigures:
    """What the generator must reproduce for one network; a `veteran` one is older than the experiment."""

    code: str
    name: str
    region: str
    departments: tuple[str, ...]
    microstructures: int
    patients: int
    mental_health: int
    age_mean: float
    women: float
    motives: Weighted[str]
    substances: Weighted[str]
    disorders: Weighted[str]
    veteran: bool = False
    meetings_per_year: float = MEETINGS_PER_YEAR
    psychiatrists: int = 0
    polyconsumption: bool = False

    @property
    def size(self) -> int:
        """Returns the number of patients of all motives."""
        return self.patients + self.mental_health


REGIONS = {
    region.code: region
    for region in (
        # first inclusions: cahier des charges Equip'addict
        Region("BFC", "Bourgogne-Franche-Comté", "27", date(2020, 11, 15)),
        Region("GE", "Grand Est", "44", date(2021, 1, 1)),
        Region("HDF", "Hauts-de-France", "32", date(2020, 11, 19)),
        Region("IDF", "Île-de-France", "11", date(2020, 10, 1)),
        Region("NA", "Nouvelle-Aquitaine", "75", None),
        Region("OCC", "Occitanie", "76", date(2020, 7, 1)),
        Region("PACA", "Provence-Alpes-Côte d'Azur", "93", None),
    )
}

DEPARTMENTS = {
    # code of the département: name, chef-lieu, COG code of the chef-lieu
    "02": ("Aisne", "Laon", "02408"),
    "06": ("Alpes-Maritimes", "Nice", "06088"),
    "09": ("Ariège", "Foix", "09122"),
    "10": ("Aube", "Troyes", "10387"),
    "12": ("Aveyron", "Rodez", "12202"),
    "13": ("Bouches-du-Rhône", "Marseille", "13055"),
    "25": ("Doubs", "Besançon", "25056"),
    "30": ("Gard", "Nîmes", "30189"),
    "31": ("Haute-Garonne", "Toulouse", "31555"),
    "32": ("Gers", "Auch", "32013"),
    "34": ("Hérault", "Montpellier", "34172"),
    "39": ("Jura", "Lons-le-Saunier", "39300"),
    "51": ("Marne", "Châlons-en-Champagne", "51108"),
    "52": ("Haute-Marne", "Chaumont", "52121"),
    "54": ("Meurthe-et-Moselle", "Nancy", "54395"),
    "57": ("Moselle", "Metz", "57463"),
    "58": ("Nièvre", "Nevers", "58194"),
    "59": ("Nord", "Lille", "59350"),
    "60": ("Oise", "Beauvais", "60057"),
    "64": ("Pyrénées-Atlantiques", "Pau", "64445"),
    "67": ("Bas-Rhin", "Strasbourg", "67482"),
    "68": ("Haut-Rhin", "Colmar", "68066"),
    "70": ("Haute-Saône", "Vesoul", "70550"),
    "77": ("Seine-et-Marne", "Melun", "77288"),
    "80": ("Somme", "Amiens", "80021"),
    "81": ("Tarn", "Albi", "81004"),
    "82": ("Tarn-et-Garonne", "Montauban", "82121"),
    "84": ("Vaucluse", "Avignon", "84007"),
    "88": ("Vosges", "Épinal", "88160"),
    "89": ("Yonne", "Auxerre", "89024"),
    "91": ("Essonne", "Évry-Courcouronnes", "91228"),
    "93": ("Seine-Saint-Denis", "Bobigny", "93008"),
    "94": ("Val-de-Marne", "Créteil", "94028"),
}

FOREIGN_BIRTHPLACES = (
    # COG code of the country, name
    ("99352", "Algérie"),
    ("99350", "Maroc"),
    ("99351", "Tunisie"),
    ("99139", "Portugal"),
    ("99127", "Italie"),
    ("99341", "Sénégal"),
)

ONLY_ADDICTION = Weighted(
    REPORT + " : addiction 100 %, précarité rare", {"addiction": 0.97, "addiction-precarity": 0.03}
)
_ALSACE_MOTIVES = Weighted(
    REPORT + ", Alsace : addiction 86,6, précarité 9,7, santé mentale 3,7 %", {"addiction": 86.6, "precarity": 9.7}
)
_AUBE_MOTIVES = Weighted(REPORT + ", Aube : addiction 37, précarité 7", {"addiction": 37, "precarity": 7})
_BFC_MOTIVES = Weighted(REPORT + ", BFC : addiction 51, précarité 2", {"addiction": 51, "precarity": 2})
_IDF_MOTIVES = Weighted(
    REPORT + ", file active des psychologues : 40, 22, les deux 38 %",
    {"addiction": 0.40, "precarity": 0.22, "addiction-precarity": 0.38},
)

_COMMON_SUBSTANCES = Weighted(
    ASSUMPTION + ", dans l'ordre national alcool, tabac, cannabis, opiacés",
    {
        "alcohol": 0.5,
        "tobacco": 0.17,
        "cannabis": 0.14,
        "opioids": 0.09,
        "cocaine": 0.05,
        "benzodiazepines": 0.03,
        "gambling": 0.02,
    },
)
_ALSACE_SUBSTANCES = Weighted(
    REPORT + ", Alsace : opiacés 32, alcool 20, tabac 12, cocaïne 11 %",
    {
        "opioids": 0.32,
        "alcohol": 0.2,
        "tobacco": 0.12,
        "cocaine": 0.11,
        "cannabis": 0.1,
        "tso-misuse": 0.06,
        "benzodiazepines": 0.05,
        "gambling": 0.02,
        "amphetamines": 0.02,
    },
)
_NANCY_SUBSTANCES = Weighted(
    REPORT + ", RAVH 54 : alcool, opiacés, mésusage de TSO, cocaïne (rangs)",
    {"alcohol": 0.4, "opioids": 0.26, "tso-misuse": 0.12, "cocaine": 0.1, "tobacco": 0.07, "cannabis": 0.05},
)
_MOSELLE_SUBSTANCES = Weighted(
    REPORT + ", Moselle 2019 : alcool 50, opiacés 44 %", {"alcohol": 0.5, "opioids": 0.44, "cannabis": 0.06}
)
_AUBE_SUBSTANCES = Weighted(REPORT + ", Aube : opiacés 80, alcool 20 %", {"opioids": 0.8, "alcohol": 0.2})
_HDF_SUBSTANCES = Weighted(
    REPORT + ", Hauts-de-France : alcool 84, tabac 16, cannabis 13, opiacés 8 % (multiple)",
    {"alcohol": 0.7, "tobacco": 0.13, "cannabis": 0.1, "opioids": 0.07},
)
_IDF_SUBSTANCES = Weighted(
    REPORT + ", Île-de-France, psychologues : alcool 37, tabac 27, cannabis 17 %",
    {"alcohol": 0.37, "tobacco": 0.27, "cannabis": 0.17, "benzodiazepines": 0.13, "cocaine": 0.04, "opioids": 0.02},
)
_NA_SUBSTANCES = Weighted(
    REPORT + ", Nouvelle-Aquitaine : alcool 6, cannabis 2, opiacés 1", {"alcohol": 6, "cannabis": 2, "opioids": 1}
)
_PACA_SUBSTANCES = Weighted(
    REPORT + ", PACA : opiacés 33, alcool 31, tabac 14, cannabis 11 %",
    {"opioids": 0.33, "alcohol": 0.31, "tobacco": 0.14, "cannabis": 0.11, "cocaine": 0.07, "benzodiazepines": 0.04},
)

_ALSACE_DISORDERS = Weighted(
    REPORT + ", Alsace : stress 74, personnalité 20, alimentaire 12 %",
    {"stress": 0.74, "personality": 0.2, "behavioural": 0.12, "mood": 0.08},
)
_AUBE_DISORDERS = Weighted(
    REPORT + ", Aube : stress 40, personnalité 5, alimentaire 1", {"stress": 40, "personality": 5, "behavioural": 1}
)
_BFC_DISORDERS = Weighted(
    REPORT + ", BFC : humeur 2, stress 2, personnalité 1", {"mood": 2, "stress": 2, "personality": 1}
)
_HDF_DISORDERS = Weighted(
    REPORT + ", Hauts-de-France",
    {"mood": 77, "personality": 38, "stress": 30, "organic": 3, "behavioural": 2, "intellectual": 1},
)
_PACA_DISORDERS = Weighted(
    REPORT + ", PACA",
    {"stress": 21, "mood": 18, "personality": 17, "psychotic": 5, "behavioural": 3, "organic": 2},
)
_COMMON_DISORDERS = Weighted(
    ASSUMPTION + ", mélange des réseaux de 2020",
    {"stress": 0.46, "mood": 0.3, "personality": 0.16, "behavioural": 0.05, "psychotic": 0.02, "organic": 0.01},
)


_NETWORKS_BY_REGION: dict[str, tuple[tuple[str, str, tuple[str, ...], int, int, int, float, float], ...]] = {
    # code, name, départements, microstructures, patients, of them santé mentale apart, mean age, share of women
    "BFC": (
        ("doubs-jura", "Doubs, Jura et Haute-Saône", ("25", "39", "70"), 8, 150, 24, 43.4, 0.43),
        ("nievre-yonne", "Nièvre et Yonne", ("58", "89"), 6, 110, 16, 43.4, 0.43),
    ),
    "GE": (
        ("alsace", "Alsace", ("67", "68"), 16, 1180, 50, 44.6, 0.49),
        ("moselle", "Moselle", ("57",), 6, 200, 10, 43.4, 0.44),
        ("nancy-vosges", "Meurthe-et-Moselle et Vosges", ("54", "88"), 9, 240, 20, 44.2, 0.46),
        ("aube", "Aube", ("10",), 3, 70, 8, 42.4, 0.44),
        ("marne", "Marne", ("51",), 4, 80, 6, 43.4, 0.47),
        ("haute-marne", "Haute-Marne", ("52",), 3, 60, 6, 43.4, 0.47),
    ),
    "HDF": (
        ("somme", "Somme", ("80",), 15, 340, 24, 53.0, 0.42),
        ("oise", "Oise", ("60",), 5, 100, 8, 50.0, 0.43),
        ("aisne", "Aisne", ("02",), 4, 80, 8, 50.0, 0.43),
        ("nord", "Nord", ("59",), 5, 100, 10, 48.0, 0.43),
    ),
    "IDF": (
        ("seine-saint-denis", "Seine-Saint-Denis", ("93",), 11, 290, 22, 46.0, 0.57),
        ("essonne", "Essonne", ("91",), 4, 100, 8, 43.4, 0.54),
        ("seine-et-marne", "Seine-et-Marne", ("77",), 5, 110, 10, 43.4, 0.54),
        ("val-de-marne", "Val-de-Marne", ("94",), 5, 120, 10, 43.4, 0.54),
    ),
    "NA": (("pyrenees", "Pyrénées-Atlantiques", ("64",), 1, 12, 0, 43.4, 0.3),),
    "OCC": (
        (
            "garonne",
            "Haute-Garonne, Ariège, Gers et Tarn-et-Garonne",
            ("31", "09", "32", "82"),
            17,
            560,
            36,
            42.4,
            0.48,
        ),
        ("languedoc", "Hérault, Gard, Tarn et Aveyron", ("34", "30", "81", "12"), 14, 460, 30, 42.4, 0.48),
    ),
    "PACA": (
        ("marseille", "Bouches-du-Rhône", ("13",), 4, 190, 20, 54.0, 0.61),
        ("alpes-maritimes", "Alpes-Maritimes", ("06",), 1, 30, 5, 50.0, 0.55),
        ("vaucluse", "Vaucluse", ("84",), 1, 28, 5, 50.0, 0.55),
    ),
}

_MOTIVES = {"alsace": _ALSACE_MOTIVES, "aube": _AUBE_MOTIVES, "BFC": _BFC_MOTIVES, "IDF": _IDF_MOTIVES}
_SUBSTANCES = {
    "alsace": _ALSACE_SUBSTANCES,
    "nancy-vosges": _NANCY_SUBSTANCES,
    "moselle": _MOSELLE_SUBSTANCES,
    "aube": _AUBE_SUBSTANCES,
    "HDF": _HDF_SUBSTANCES,
    "IDF": _IDF_SUBSTANCES,
    "NA": _NA_SUBSTANCES,
    "PACA": _PACA_SUBSTANCES,
}
_DISORDERS = {
    "alsace": _ALSACE_DISORDERS,
    "aube": _AUBE_DISORDERS,
    "BFC": _BFC_DISORDERS,
    "HDF": _HDF_DISORDERS,
    "PACA": _PACA_DISORDERS,
}
_MONTHLY = frozenset({"moselle", "haute-marne", "aube", "vaucluse"})
_VETERANS = frozenset({"alsace", "moselle", "nancy-vosges", "aube", "somme", "pyrenees", "marseille"})
_PSYCHIATRISTS = {
    "alsace": 2,
    "nancy-vosges": 1,
    "doubs-jura": 1,
    "somme": 1,
    "seine-saint-denis": 1,
    "garonne": 1,
    "marseille": 1,
}  # eight in all (congress figures)


def _figures(region: str) -> tuple[NetworkFigures, ...]:
    return tuple(
        NetworkFigures(
            code=code,
            name=name,
            region=region,
            departments=departments,
            microstructures=microstructures,
            patients=patients,
            mental_health=mental_health,
            age_mean=age_mean,
            women=women,
            motives=_MOTIVES.get(code) or _MOTIVES.get(region, ONLY_ADDICTION),
            substances=_SUBSTANCES.get(code) or _SUBSTANCES.get(region, _COMMON_SUBSTANCES),
            disorders=_DISORDERS.get(code) or _DISORDERS.get(region, _COMMON_DISORDERS),
            veteran=code in _VETERANS,
            meetings_per_year=MONTHLY_MEETINGS if code in _MONTHLY else MEETINGS_PER_YEAR,
            psychiatrists=_PSYCHIATRISTS.get(code, 0),
            polyconsumption=code == "aube",
        )
        for code, name, departments, microstructures, patients, mental_health, age_mean, women in _NETWORKS_BY_REGION[
            region
        ]
    )


NETWORKS = tuple(figures for region in REGIONS for figures in _figures(region))
"""The 22 networks, in the order of regions."""

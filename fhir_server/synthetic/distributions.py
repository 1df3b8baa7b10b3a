"""The figures that the synthetic network follows, each with its source.

Sources: `REPORT` is the CNRMS activity report 2020, `CONGRESS` the CNRMS figures of 15 March 2023 (congress of general
medicine), `SPECIFICATION` the revised cahier des charges of Equip'addict (arrêté ARS Occitanie 2023-3176), `ASSUMPTION`
what no document says. The documents contradict one another in places (totals of 2020, targets); each figure here is
for the perimeter its line names, and totals are computed, never copied. What differs by network is in `territory`.
"""

from __future__ import annotations

from datetime import date

from fhir_server.synthetic.draw import Weighted

REPORT = "CNRMS, rapport d'activité 2020"
CONGRESS = "CNRMS, congrès de médecine générale, chiffres au 15/03/2023"
SPECIFICATION = "Cahier des charges Equip'addict révisé (ARS Occitanie, arrêté 2023-3176)"
ASSUMPTION = "Hypothèse, aucun document"

SNAPSHOT = date(2023, 3, 15)
"""All patients are in care on this day (CONGRESS); it is also the origin of every other date."""
HORIZON = date(2024, 12, 31)
"""Last day of care: ASSUMPTION, which gives the patients about three years of it."""

NATIONAL_AGE = {"all": 45.4, "female": 46.1, "male": 44.8}  # CONGRESS
AGE_DEVIATION = 12.0  # REPORT, Alsace: 44.3 ± 12
WOMEN = 0.48  # CONGRESS
SUBSTANCE_RANKING = ("alcohol", "tobacco", "cannabis", "opioids")  # CONGRESS
MICROSTRUCTURES = {"BFC": 14, "GE": 41, "HDF": 29, "IDF": 25, "NA": 1, "OCC": 31, "PACA": 6}  # CONGRESS
NETWORKS = 22  # CONGRESS
PATIENTS = 4610  # CONGRESS, motives addiction and précarité
MENTAL_HEALTH_PATIENTS = 336  # CONGRESS, motive santé mentale
PSYCHIATRISTS = 8  # CONGRESS

DOCTORS_PER_MICROSTRUCTURE = 159 / 70  # REPORT, key figures
PSYCHOLOGISTS_PER_MICROSTRUCTURE = 43 / 70  # REPORT, key figures
SOCIAL_WORKERS_PER_MICROSTRUCTURE = 40 / 70  # REPORT, key figures

FORFAIT_EUROS = 806  # SPECIFICATION
FORFAIT_FROM = date(2021, 12, 1)  # SPECIFICATION
FORFAIT_UNTIL = date(2023, 12, 31)  # SPECIFICATION: end of the experiment

ACTS_PER_YEAR = {
    "gp": 10566 / 1153,  # REPORT, Alsace: acts of doctors per patient
    "psychologist": 5.3,  # between 4147/1153 (REPORT, Alsace) and 7 (SPECIFICATION, forfait)
    "social-worker": 4.9,  # between 4638/1153 (REPORT, Alsace) and 6 (SPECIFICATION, forfait)
    "psychiatrist": 3.0,  # ASSUMPTION, patients of the motive santé mentale
}
SHARE_FOLLOWED_BY = {"psychologist": 0.86, "social-worker": 0.78}  # ASSUMPTION: the PPS may want only one of them
MEETINGS_PER_YEAR = 5.0  # SPECIFICATION: costing; at least one per quarter
MONTHLY_MEETINGS = 11.0  # CONGRESS: monthly clinical meetings, August without

CHANNEL = Weighted(ASSUMPTION, {"on-site": 0.92, "teleconsultation": 0.08})
MEETING_DECISION = Weighted(ASSUMPTION, {"reconduction": 0.76, "adaptation": 0.24})
PATIENT_ATTENDS_MEETING = 0.12  # ASSUMPTION (SPECIFICATION: the patient may attend)

REFERRAL = Weighted(
    ASSUMPTION,
    {"own-patient": 0.55, "csapa": 0.17, "msp": 0.1, "hospital": 0.08, "other-doctor": 0.07, "caarud": 0.03},
)
ORIENTATIONS_PER_YEAR = 0.6  # ASSUMPTION

SECONDARY_COUNT = Weighted(ASSUMPTION, {0: 0.38, 1: 0.37, 2: 0.25})
POLY_SECONDARY_COUNT = Weighted(REPORT + ", Aube : 80 % poly-consommateurs", {0: 0.2, 1: 0.5, 2: 0.3})
SECONDARY_SUBSTANCE = Weighted(
    ASSUMPTION,
    {
        "tobacco": 0.4,
        "cannabis": 0.25,
        "alcohol": 0.16,
        "benzodiazepines": 0.07,
        "cocaine": 0.06,
        "opioids": 0.03,
        "tso-misuse": 0.03,
    },
)
INJECTS = {"opioids": 0.22, "cocaine": 0.12, "tso-misuse": 0.15}  # ASSUMPTION
USE_EFFECT = Weighted(ASSUMPTION, {"less": 0.34, "same": 0.6, "more": 0.06})
TREATED = {"opioids": 0.82, "tso-misuse": 0.7}  # ASSUMPTION: with a TSO
OPIOID_TREATMENT = Weighted(ASSUMPTION, {"methadone": 0.5, "buprenorphine": 0.42, "buprenorphine-naloxone": 0.08})

SCREENING_DONE = 414 / 611  # REPORT, Alsace: HIV screening, two thirds
SCREENING_METHOD = Weighted(ASSUMPTION, {"blood": 0.62, "trod": 0.38})
POSITIVE = {"hiv": 0.008, "hbv": 0.01, "hcv": 0.03}  # ASSUMPTION, share of patients
POSITIVE_INJECTING = {"hiv": 0.04, "hbv": 0.03, "hcv": 0.25}  # ASSUMPTION, share of patients who inject
HCV_TREATMENT_STARTED = 0.75  # ASSUMPTION (REPORT, PACA: 4 started, 3 continued)
HBV_VACCINATION = 25 / 146  # REPORT, PACA
FIBROSCAN_ALCOHOL = 0.28  # ASSUMPTION: patients with fibrosis; yearly (SPECIFICATION)

HOUSING = Weighted(
    REPORT + ", Hauts-de-France : logement durable 75 %",
    {"durable": 0.75, "hosted": 0.13, "temporary": 0.07, "homeless": 0.03, "institution": 0.02},
)
# of those between school and retirement: 44, 21 and 20 % of all patients
INCOME = Weighted(
    REPORT + ", Hauts-de-France : emploi 44 %, chômage 21 %, RSA 20 %",
    {"work": 0.475, "unemployment": 0.225, "rsa": 0.215, "aah": 0.075, "none": 0.01},
)
EMPLOYMENT_OF_INCOME = {  # the source of income decides
    "work": Weighted(ASSUMPTION, {"permanent": 0.66, "temporary": 0.24, "self-employed": 0.1}),
    "unemployment": Weighted(ASSUMPTION, {"unemployed": 1.0}),
    "rsa": Weighted(ASSUMPTION, {"unemployed": 0.8, "other-inactive": 0.2}),
    "aah": Weighted(ASSUMPTION, {"disability": 1.0}),
    "pension": Weighted(ASSUMPTION, {"retired": 1.0}),
    "none": Weighted(ASSUMPTION, {"unemployed": 0.6, "other-inactive": 0.4}),
    "third-party": Weighted(ASSUMPTION, {"student": 1.0}),
}
FAMILY = Weighted(
    ASSUMPTION,
    {"alone": 0.42, "couple": 0.2, "couple-children": 0.18, "single-parent": 0.09, "with-parents": 0.08, "other": 0.03},
)
HEALTH_COVER = Weighted(ASSUMPTION, {"complementary": 0.6, "c2s": 0.28, "ald": 0.1, "ame": 0.02})
RIGHT_STATUS = Weighted(ASSUMPTION, {"open": 0.72, "requested": 0.14, "to-renew": 0.1, "closed": 0.04})
PROGRESS = 0.07  # ASSUMPTION: share of patients whose housing, income or rights improve within half a year

EXIT_PER_YEAR = 0.16  # ASSUMPTION: three to five years of follow-up (SPECIFICATION)
EXIT_REASON = Weighted(
    ASSUMPTION + "; reasons : " + SPECIFICATION,
    {
        "patient-wish": 0.28,
        "improvement": 0.27,
        "lost-to-follow-up": 0.2,
        "other-care": 0.12,
        "moved": 0.1,
        "death": 0.03,
    },
)

DISORDER_SHARE = {"addiction": 0.42, "precarity": 0.35, "addiction-precarity": 0.45, "mental-health": 1.0}  # ASSUMPTION
SECOND_DISORDER = 0.15  # ASSUMPTION (REPORT: one patient may fall into several classes)
MENTAL_HEALTH_DISORDERS = Weighted(
    ASSUMPTION, {"stress": 0.55, "mood": 0.36, "personality": 0.05, "behavioural": 0.03, "psychotic": 0.01}
)
BORN_ABROAD = 0.14  # ASSUMPTION
ANONYMOUS_EVERY, UNQUALIFIED_EVERY, MINOR_EVERY = 40, 9, 80  # ASSUMPTION: one patient of so many
RESEARCH_CONSENT = 0.93  # ASSUMPTION
NOTE_SHARE = 0.75  # ASSUMPTION: consultations of the psychologist with a written note

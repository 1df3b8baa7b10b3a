"""The units of UCUM that FHIR data is measured in, each by simpler ones. https://ucum.org/ucum

Left out: units of logarithms, of homeopathy and of typography, and customary ones that medicine does not use;
quantities in them are compared as they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from string import ascii_letters

_POWERS = "Y24 Z21 E18 P15 T12 G9 M6 k3 h2 da1 d-1 c-2 m-3 u-6 n-9 p-12 f-15 a-18 z-21 y-24"

PREFIXES: Mapping[str, Fraction] = {
    **{text.rstrip("-0123456789"): Fraction(10) ** int(text.lstrip(ascii_letters)) for text in _POWERS.split()},
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
}

BASES = frozenset({"m", "s", "g", "rad", "K", "C", "cd", "mol", "[iU]", "[arb'U]", "[USP'U]", "[CFU]", "osm", "bit"})
"""Units that stand for themselves. UCUM counts moles, osmoles and bits as mere numbers; here they are compared with
each other, not with all numbers.
"""

METRIC: Mapping[str, tuple[str, str]] = {
    "sr": ("1", "rad2"),
    "Hz": ("1", "s-1"),
    "N": ("1", "kg.m/s2"),
    "Pa": ("1", "N/m2"),
    "J": ("1", "N.m"),
    "W": ("1", "J/s"),
    "A": ("1", "C/s"),
    "V": ("1", "J/C"),
    "F": ("1", "C/V"),
    "Ohm": ("1", "V/A"),
    "S": ("1", "Ohm-1"),
    "Wb": ("1", "V.s"),
    "T": ("1", "Wb/m2"),
    "H": ("1", "Wb/A"),
    "lm": ("1", "cd.sr"),
    "lx": ("1", "lm/m2"),
    "Bq": ("1", "s-1"),
    "Gy": ("1", "J/kg"),
    "Sv": ("1", "J/kg"),
    "l": ("1", "dm3"),
    "L": ("1", "l"),
    "ar": ("100", "m2"),
    "t": ("1000", "kg"),
    "bar": ("100000", "Pa"),
    "u": ("1.6605402e-24", "g"),
    "eV": ("1.60217733e-19", "J"),
    "kat": ("1", "mol/s"),
    "U": ("1", "umol/min"),
    "eq": ("1", "mol"),
    "cal": ("4.184", "J"),
    "dyn": ("1", "g.cm/s2"),
    "erg": ("1", "dyn.cm"),
    "P": ("1", "dyn.s/cm2"),
    "St": ("1", "cm2/s"),
    "Ci": ("37000000000", "Bq"),
    "R": ("0.000258", "C/kg"),
    "RAD": ("100", "erg/g"),
    "REM": ("1", "RAD"),
    "m[Hg]": ("133.322", "kPa"),
    "m[H2O]": ("9.80665", "kPa"),
    "[IU]": ("1", "[iU]"),
    "By": ("8", "bit"),
}
"""Units that take prefixes: how many of which."""

OTHERS: Mapping[str, tuple[str, str]] = {
    "10*": ("10", "1"),
    "10^": ("10", "1"),
    "%": ("0.01", "1"),
    "[ppth]": ("0.001", "1"),
    "[ppm]": ("0.000001", "1"),
    "[ppb]": ("0.000000001", "1"),
    "[pptr]": ("0.000000000001", "1"),
    "[pi]": ("3.1415926535897932384626433832795028841971", "1"),
    "deg": ("2", "[pi].rad/360"),
    "'": ("1", "deg/60"),
    "''": ("1", "'/60"),
    "min": ("60", "s"),
    "h": ("60", "min"),
    "d": ("24", "h"),
    "wk": ("7", "d"),
    "a": ("365.25", "d"),
    "a_j": ("365.25", "d"),
    "a_g": ("365.2425", "d"),
    "a_t": ("365.24219", "d"),
    "mo": ("30.4375", "d"),
    "mo_j": ("30.4375", "d"),
    "mo_g": ("30.436875", "d"),
    "atm": ("101325", "Pa"),
    "[psi]": ("6894.757293168361", "Pa"),
    "g%": ("1", "g/dl"),
    "[Cal]": ("1", "kcal"),
    "[in_i]": ("2.54", "cm"),
    "[ft_i]": ("12", "[in_i]"),
    "[yd_i]": ("3", "[ft_i]"),
    "[mi_i]": ("5280", "[ft_i]"),
    "[lb_av]": ("453.59237", "g"),
    "[oz_av]": ("28.349523125", "g"),
    "[stone_av]": ("14", "[lb_av]"),
    "[gr]": ("64.79891", "mg"),
    "[gal_us]": ("3785.411784", "cm3"),
    "[qt_us]": ("946.352946", "cm3"),
    "[pt_us]": ("473.176473", "cm3"),
    "[cup_us]": ("236.5882365", "cm3"),
    "[foz_us]": ("29.5735295625", "cm3"),
    "[tbs_us]": ("14.78676478125", "cm3"),
    "[tsp_us]": ("4.92892159375", "cm3"),
    "[drp]": ("0.05", "ml"),
    "[HPF]": ("1", "1"),
    "[LPF]": ("100", "1"),
}
"""Units that take no prefix: how many of which."""

SCALES: Mapping[str, tuple[str, str]] = {"Cel": ("1", "273.15"), "[degF]": ("5/9", "459.67")}
"""Temperatures by how many kelvins a degree is, and how many degrees below its zero the absolute zero lies."""

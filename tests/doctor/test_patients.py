"""Eleven public mistakes in our own words: each is named exactly, with nothing else claimed, by one call without an adaptor."""

from __future__ import annotations

import importlib
import json

import pytest

from rnnproof.doctor import examine

PATIENTS = (
    "captaine_rnn",
    "coursera_lstm",
    "deeplearning2_gru",
    "epynn_rnn_clipped",
    "hanbt_lstm",
    "javaidnabi31_rnn",
    "mlalgorithms_lstm",
    "mlfromscratch_rnn",
    "numpyml_42_lstm",
    "stateful_check",
    "vzhou842_rnn",
)
# The header of this one says which arrays a check that calls the loss again and again finds wrong; the gradients are right.
RIGHT_BUT_FOR_THE_CHECK = "stateful_check"


@pytest.mark.slow
@pytest.mark.parametrize("name", PATIENTS)
def test_the_mistake_gets_its_name(name: str) -> None:
    patient = importlib.import_module(f"tests.doctor.patients.{name}")
    report = examine(patient.patient, cell=patient.CELL)
    assert set(report.kinds) == set(patient.KINDS)
    assert report.unnamed == ()
    assert dict(report.wrong) == ({} if name == RIGHT_BUT_FOR_THE_CHECK else patient.WRONG_FROM)
    assert report.ok is (name == "epynn_rnn_clipped"), "clipping is told and is no fault"
    assert report.layout, "how the cell was found is told"
    answer = json.loads(report.json())
    assert answer["wrong"] == dict(report.wrong)
    assert {mistake["kind"] for mistake in answer["mistakes"]} == set(patient.KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["captaine_rnn", "javaidnabi31_rnn", "vzhou842_rnn", "mlfromscratch_rnn"])
def test_one_case_alone_is_enough(name: str) -> None:
    """Without `make`, at one length: the layout is found, and arrays drawn anew take the place of other lengths."""
    patient = importlib.import_module(f"tests.doctor.patients.{name}")
    report = examine(*patient.patient(T=8 if name == "mlfromscratch_rnn" else 4), cell=patient.CELL)
    assert set(report.kinds) == set(patient.KINDS)
    assert set(report.wrong) == set(patient.WRONG_FROM)


def test_without_the_cell_the_lengths_tell() -> None:
    """Level 1: a carry is right at T = 1 and wrong from 2 on, and what is right is said to be."""
    patient = importlib.import_module("tests.doctor.patients.vzhou842_rnn")
    report = examine(patient.patient)
    assert dict(report.wrong) == patient.WRONG_FROM
    assert report.mistakes == () and not report.ok
    assert report.arrays["Why"].verdict == "right" and report.arrays["Wxh"].verdict == "wrong"
    assert "wrong from T = 2 on (what comes back through time): Wxh, bh" in str(report)


def test_biases_that_are_zero_are_drawn() -> None:
    """With zero biases this mistake is invisible; the doctor draws what came as zeros and sees it."""
    patient = importlib.import_module("tests.doctor.patients.numpyml_42_lstm")
    report = examine(lambda T, B, seed: patient.patient(T, B, seed, zero_biases=True))
    assert dict(report.wrong) == patient.WRONG_FROM

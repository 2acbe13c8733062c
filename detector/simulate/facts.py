"""Everything that other systems of a county report, with its truth."""

from __future__ import annotations

from detector.simulate.county import County
from detector.simulate.logins import log_in
from detector.simulate.officers import certify
from detector.simulate.receipts import pay_in
from detector.simulate.reports import Reports
from detector.simulate.voices import hear
from detector.simulate.volumes import count


def report(county: County) -> Reports:
    """Receipts, log-ins, volumes, certificates, complaints and consultations. Equal counties
    give equal facts."""
    reports = Reports(county)
    count(reports, pay_in(reports))
    log_in(reports)
    certify(reports)
    hear(reports)
    return reports

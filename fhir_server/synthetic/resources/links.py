"""The references that the resources of one patient share, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhir_server.synthetic.resources.elements import reference
from fhir_server.synthetic.resources.people import guardian_id

if TYPE_CHECKING:
    from fhir_server.synthetic.course import Contact, Course, Disease, Meeting
    from fhir_server.synthetic.network import Professional

Reference = dict[str, str]


class Links:
    """References of one course; ids are the patient's id plus a letter for the kind and a number."""

    __slots__ = (
        "_roles",
        "course",
        "doctor",
        "episode",
        "microstructure",
        "patient_id",
        "psychologist",
        "room",
        "social_worker",
        "subject",
        "team",
    )

    def __init__(self, course: Course) -> None:
        microstructure = course.stay.microstructure
        self.course = course
        self.patient_id = course.person.id_
        self._roles: dict[str, Reference] = {}
        self.subject = reference("Patient", self.patient_id)
        self.episode = reference("EpisodeOfCare", f"{self.patient_id}-episode")
        self.team = reference("CareTeam", f"{self.patient_id}-team")
        self.microstructure = reference("Organization", microstructure.id_)
        self.room = reference("Location", microstructure.room)
        self.doctor = self.role(course.stay.doctor)
        self.psychologist = self.role(microstructure.psychologist.professional)
        self.social_worker = self.role(microstructure.social_worker.professional)

    def role(self, professional: Professional) -> Reference:
        """Returns the reference to the role that this professional has in the patient's microstructure."""
        found = self._roles.get(professional.id_)
        if found is None:
            found = self._roles[professional.id_] = reference(
                "PractitionerRole", self.course.stay.microstructure.role_of(professional)
            )
        return found

    def specialist(self, role: str) -> Reference:
        """Returns the reference to the network's hepatologist, pharmacist or coordinator."""
        staff = self.course.stay.network.staff
        return reference("PractitionerRole", next(f"{who.id_}-role" for who in staff if who.role == role))

    def contact(self, contact: Contact) -> Reference:
        """Returns the reference to the Encounter of a consultation."""
        return reference("Encounter", f"{self.patient_id}-e{contact.number}")

    def meeting(self, meeting: Meeting) -> Reference:
        """Returns the reference to the Encounter of an RCP."""
        return reference("Encounter", f"{self.patient_id}-m{meeting.number}")

    def disease(self, disease: Disease) -> Reference:
        """Returns the reference to the Condition."""
        return reference("Condition", f"{self.patient_id}-d{disease.number}")

    def consenter(self) -> Reference:
        """Returns who consents: the patient, or a minor's guardian."""
        person = self.course.person
        return reference("RelatedPerson", guardian_id(person)) if person.guardian else self.subject

"""What a client can ask for; see `README.md` beside this file. https://hl7.org/fhir/R4/http.html"""

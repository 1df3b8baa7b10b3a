"""Common French first and family names, streets and localities to invent people and places from.

Lists of single common words; any likeness of a combination to a person is chance.
"""

from __future__ import annotations

_FEMALE_NAMES = """
    Adèle Agnès Alice Amandine Anaïs Anne Annie Audrey Aurélie Béatrice Brigitte Camille Carole Caroline Catherine
    Cécile Céline Chantal Charlotte Christelle Christine Claire Clara Corinne Danielle Delphine Denise Dominique Élise
    Élodie Émilie Emma Estelle Fabienne Fatima Florence Françoise Geneviève Hélène Inès Isabelle Jacqueline Jeanne
    Jessica Joëlle Julie Juliette Karine Laetitia Laure Laurence Léa Louise Lucie Magali Malika Manon Marie Marine
    Marion Martine Mathilde Maud Mélanie Michèle Monique Muriel Myriam Nadia Nathalie Nicole Noémie Odile Océane
    Pascale Patricia Pauline Rachel Sabrina Samira Sandra Sandrine Sarah Séverine Simone Sonia Sophie Stéphanie Suzanne
    Sylvie Valérie Vanessa Véronique Virginie Yasmina Yvette Zoé
"""
FEMALE_NAMES = tuple(_FEMALE_NAMES.split())

_MALE_NAMES = """
    Adrien Ahmed Alain Alexandre Alexis Amaury Antoine Arnaud Arthur Aurélien Bastien Benjamin Benoît Bernard Bruno
    Cédric Charles Christian Christophe Claude Clément Cyril Damien Daniel David Denis Didier Dylan Emmanuel Éric
    Fabien Fabrice Florian Franck François Frédéric Gabriel Gaël Georges Gérard Gilles Grégory Guillaume Guy Henri
    Hervé Hugo Jacques Jean Jérémy Jérôme Joël Jonathan Jordan Joseph Julien Karim Kevin Laurent Léo Loïc Louis Luc
    Lucas Ludovic Marc Marcel Mathieu Maxime Mehdi Michaël Michel Mickaël Mohamed Nicolas Olivier Pascal Patrice
    Patrick Paul Philippe Pierre Quentin Rachid Raphaël Raymond Rémi René Robert Robin Romain Samuel Sébastien Serge
    Simon Stéphane Sylvain Théo Thierry Thomas Tony Vincent Xavier Yann Yves
"""
MALE_NAMES = tuple(_MALE_NAMES.split())

_FAMILY_NAMES = """
    Adam Andre Antoine Arnaud Aubert Aubry Bailly Barbier Baron Barre Benoit Berger Bernard Bertin Bertrand Blanc
    Blanchard Bonnet Boucher Bouchet Boulanger Bourgeois Boyer Breton Brun Brunet Carpentier Caron Charles Charpentier
    Chevalier Clement Colin Collet Colin Cordier Cousin Da-Silva David Delmas Denis Deschamps Diallo Dubois Dufour
    Dumas Dumont Dupont Dupuis Durand Duval Etienne Fabre Faure Fernandez Fleury Fontaine Fournier Francois Gaillard
    Garcia Garnier Gauthier Gautier Gerard Germain Gilbert Girard Giraud Gonzalez Guerin Guillaume Guillot Haddad
    Henry Hubert Hoffmann Huet Humbert Jacob Jacquet Klein Lacroix Lambert Laurent Lebrun Leclerc Lecomte Lefebvre
    Lefevre Legrand Lemaire Lemoine Leroux Leroy Lopez Louis Maillard Mallet Marchal Marchand Marie Martel Martin
    Martinez Masson Mathieu Menard Mercier Meunier Meyer Michel Millet Moreau Morel Morin Moulin Muller Nguyen Nicolas
    Noel Olivier Paris Pasquier Payet Pelletier Perez Perrin Perrot Petit Philippe Picard Pierre Poirier Poulain
    Prevost Remy Renard Renaud Renault Rey Reynaud Richard Riviere Robert Robin Roche Roger Rolland Rousseau Roussel
    Roux Roy Royer Sanchez Schmitt Schneider Simon Thomas Vasseur Vidal Vincent Weber Weiss Zimmermann
"""
FAMILY_NAMES = tuple(_FAMILY_NAMES.split())

STREETS = (
    "rue des Acacias-Fictifs",
    "rue du Moulin-Imaginaire",
    "avenue des Tilleuls-Inventés",
    "place de l'Exemple",
    "rue de la Fontaine-Fictive",
    "allée des Données-de-Test",
    "chemin du Bac-à-Sable",
    "rue de l'École-Imaginaire",
    "boulevard du Modèle",
    "impasse de la Démonstration",
    "rue des Jardins-Inventés",
    "quai de la Simulation",
)

LOCALITIES = (
    "Val-Fictif",
    "Saint-Exemple",
    "Bourg-Modèle",
    "Pont-l'Imaginaire",
    "Villeneuve-d'Essai",
    "Fontaine-la-Feinte",
    "Montfictif",
    "Beaumodèle",
)

// SPDX-License-Identifier: Apache-2.0
// The words that both pages share, in French.

import type { Words } from './en';

export const fr: Words = {
  common: {
    signIn: 'Se connecter',
    signOut: 'Se déconnecter',
    account: 'Compte',
    password: 'Mot de passe',
    cancel: 'Annuler',
    save: 'Enregistrer',
    undo: 'Annuler l’action',
    close: 'Fermer',
    refused: 'Le compte ou le mot de passe n’est pas correct.',
    notSent: 'Pas envoyé : il n’y avait pas de liaison. Veuillez réessayer.',
    language: 'Langue',
    connecting: 'Connexion…',
    elsewhere:
      'Ce compte est utilisé dans une autre fenêtre ou sur un autre appareil. Un seul peut être connecté à la fois.',
    useHere: 'L’utiliser ici',
  },
  pledge: {
    title: 'Ce que nous promettons',
    points: [
      'Rien ne se passe sans que vous l’activiez. Chaque choix est séparé.',
      'Nous ne gardons aucune image. Personne n’est reconnu ni suivi sans l’avoir accepté.',
      'Nous ne devinons jamais votre humeur, votre âge, votre genre ni votre origine.',
      'Désactiver agit aussitôt, et être oublié ne demande qu’un geste.',
    ],
  },
  purposes: {
    proximity_offers: {
      title: 'Des offres quand je suis proche',
      does: 'Notre borne entend le signe qu’envoie votre téléphone ou votre badge, et une offre peut vous parvenir quand vous passez ou entrez.',
      off: 'Désactivé : votre téléphone nous est aussi inconnu que tous les autres.',
    },
    face_recognition: {
      title: 'Reconnaître mon visage',
      does: 'Une caméra au comptoir confirme que c’est vous. De quelques images, la borne fait un modèle ; les images ne sont jamais gardées.',
      off: 'Désactivé : le modèle est effacé en quelques secondes. Vous avez le même service sans visage.',
    },
    preference_prompts: {
      title: 'L’équipe peut me connaître',
      does: 'Quand vous entrez, l’équipe voit comment s’adresser à vous, ce que vous aimez et où s’est arrêtée votre dernière conversation.',
      off: 'Désactivé : l’équipe vous accueille comme tout client.',
    },
    personalised_offers: {
      title: 'Des offres faites pour moi',
      does: 'Ce que vous avez aimé et acheté décide de l’offre que vous recevez.',
      off: 'Désactivé : vous recevez les offres que tout le monde reçoit.',
    },
    visit_analytics: {
      title: 'Compter mes visites',
      does: 'Vos visites entrent dans les statistiques du magasin, sans votre nom.',
      off: 'Désactivé : vos visites ne sont dans aucune statistique.',
    },
  },
};
